"""Testing support that ships with bakthat: one contract suite per port, faulty wrappers, an in-memory toolbox."""
