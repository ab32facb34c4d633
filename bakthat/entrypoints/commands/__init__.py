"""One module per command, each with one click command of the same name; `cli` imports them when they are asked for."""
