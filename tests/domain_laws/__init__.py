"""Laws of the domain over random examples: tenths of a second to seconds each, not milliseconds."""
