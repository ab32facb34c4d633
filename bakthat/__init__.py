"""bakthat: one compressed, optionally encrypted archive per backup, in your own store."""

__version__ = "1.0.0"
