"""What changes production: pure planners, one module per subject.

Nothing here executes. While cofa only watches, the package is empty on purpose: no
screen and no command can change anything.
"""
