"""One module per command: the only rooms that wire everything together."""
