"""Fuzzy matching for the palette: the letters in their order, not necessarily together."""


def score(query: str, text: str) -> int | None:
    """How well `text` matches, higher is better; None where it does not.

    Case does not matter. A whole match beats a beginning, that beats a match at a word's
    beginning, that beats one inside a word, and that beats scattered letters.
    """
    wanted, within = query.casefold(), text.casefold()
    if not wanted:
        return 0
    if wanted == within:
        return 1_000
    at = within.find(wanted)
    if at == 0:
        return 900 - min(len(within), 300)
    if at > 0:
        edge = not within[at - 1].isalnum()
        return (600 if edge else 400) - min(at, 100)
    return _scattered(wanted, within)


def _scattered(wanted: str, within: str) -> int | None:
    found, gaps = -1, 0
    for letter in wanted:
        if letter == " ":
            continue
        following = within.find(letter, found + 1)
        if following < 0:
            return None
        gaps += following - found - 1
        found = following
    return max(1, 200 - gaps)
