"""Long searches for faults, which the test command does not run: each is a program of its own."""
