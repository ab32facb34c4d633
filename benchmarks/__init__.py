"""How fast, how small and how lean bakthat is, beside what one would use instead: see README.md."""
