"""`make bench-store`: the rows of runs, as they are written and as they might be (README.md)."""
