"""Work that no key may wait for."""

import threading
from collections.abc import Callable


def aside(job: Callable[[], None]) -> None:
    """Do something on a daemon thread and forget it: it may hang, and q must not."""
    threading.Thread(target=job, name="aside", daemon=True).start()
