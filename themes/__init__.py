"""Textual themes and stylesheets, as package data."""
