"""Starting the process that reads S3: when it is needed, or a little before."""

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

# -I keeps the caller's directory and PYTHONPATH out; the child finds cofa where this is.
_START: Final = (
    "import os, sys; root = sys.argv.pop(1)\n"
    "if root not in sys.path: sys.path.insert(0, root)\n"
    "from console.links.s3.child import main; os._exit(main())"
)


def start_child() -> subprocess.Popen[bytes]:
    """A child that loads boto3 and then waits for its request. Raises OSError."""
    root = str(Path(__file__).resolve().parents[3])
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _START, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def kill(child: subprocess.Popen[bytes]) -> None:
    """End the child and whatever it started, unless it has been waited for."""
    if child.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)


class Spare:
    """A child started before anybody asks, while its parent loads other things.

    Whoever takes it has it; the next one starts another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Start one; where that fails, the one who needs it finds out and says so."""
        with suppress(OSError), self._lock:
            self._child = self._child or start_child()

    def take(self) -> subprocess.Popen[bytes]:
        """The one that waits, else a new one. Raises OSError."""
        with self._lock:
            child, self._child = self._child, None
        return child if child is not None else start_child()

    def close(self) -> None:
        """End the one that waits, if nobody took it."""
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            with child:
                kill(child)
