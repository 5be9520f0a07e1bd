"""`make bench-coldstart`: from the start of a process to its first answer (README.md)."""
