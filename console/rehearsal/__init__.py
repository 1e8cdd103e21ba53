"""The rehearsal: a simulated production behind the same protocols as the real links.

A file holds what was done to the world (`log`); everything that can be read of it is a
pure function of that log and of the time (`world` and the projections beside it). It models
outcomes, never transport, crashes of cofa or timing: it proves screens and rules, and it
proves nothing about the links.
"""
