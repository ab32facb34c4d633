"""One module per command, each with one click command of the same name; `cli` imports them on first use."""
