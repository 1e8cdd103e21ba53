"""A simulated production behind the same protocols as the real one."""
