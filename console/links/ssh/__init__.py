"""SSH: one connection per host, its commands, and tunnels that end in private sockets."""
