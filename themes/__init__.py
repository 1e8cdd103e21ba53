"""Themes and the stylesheet of the console, as package data.

A theme gives each word of state its look. Colour only repeats what a word says: P0 is
reversed, P1 bold and P2 plain in every theme. Red is kept for ARMED.
"""
