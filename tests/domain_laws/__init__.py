"""Laws of the domain that take thousands of examples: seconds, not milliseconds."""
