"""Rules: pure functions from Readings to Findings, one module per subject."""
