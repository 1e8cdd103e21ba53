"""What a health check asks: the path that says whether a replica serves."""

import re
from collections.abc import Sequence
from typing import Final

from console.text import clean

_ASKED: Final = re.compile(
    r"(?:https?://)?(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::\d{1,5})?"
    r"(/[^\s\"'`|&;()<>\\$]*)"
)
_PATH_LIMIT: Final = 200


def asked_path(test: Sequence[str]) -> str:
    """The path that a health check's command asks of its own machine; empty if none is seen.

    `test` is the command as Docker has it: ``["CMD-SHELL", "curl -f http://localhost/health"]``.
    """
    match = _ASKED.search(" ".join(test[1:]))
    return clean(match[1], _PATH_LIMIT) if match else ""
