"""What cofa knows: frozen values and pure functions over them. No input, no output."""
