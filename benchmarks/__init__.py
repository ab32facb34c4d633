"""Time, memory and stored bytes of bakthat, compared with its alternatives: see README.md."""
