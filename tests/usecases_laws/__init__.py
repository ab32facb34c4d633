"""Laws of the use cases that take hundreds of runs of a verb: tenths of a second each, not milliseconds."""
