"""Hosts: this machine, or one over SSH; both say what they are by the same script."""
