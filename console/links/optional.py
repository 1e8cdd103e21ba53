"""Loading a client without the optional parts of it that cofa does not use."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def left_out(*modules: str) -> Iterator[None]:
    """While a client is imported, these optional modules of it count as not installed.

    docker-py and httpx both take an ImportError there as "without that extra". It saves
    paramiko (45 ms) where the engine is local, and httpx's command line (25 ms).
    """
    absent = [name for name in modules if name not in sys.modules]
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)
