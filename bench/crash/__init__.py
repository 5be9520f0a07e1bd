"""`make crash`: what a process that dies leaves behind, and what the next one makes of it."""
