"""What a person sees. No input or output of its own: shows Readings, Findings and Runs."""
