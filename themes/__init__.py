"""Themes and the stylesheet of the console, as package data.

A theme gives each word of state its look. Colour only repeats what a word says: P0 is
reversed, P1 bold and P2 plain in every theme. Red is kept for ARMED.
"""

from pathlib import Path


def data(name: str) -> str:
    """The text of one of this package's files.

    By its path, as cofa is never run from a zip file: importlib.resources costs 4 ms.
    """
    return (Path(__file__).parent / name).read_text("utf-8")
