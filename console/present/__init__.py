"""Pure functions from the model to strings, for the command line and the screens alike."""
