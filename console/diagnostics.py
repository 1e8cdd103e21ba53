"""cofa's own log and crash files: for its developers, without secrets, 0600, bounded."""

import logging
import os
import platform
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from console import __version__
from console.paths import Paths, private_directory
from console.secret import MASK
from console.text import clean

LOG_SIZE: Final = 1 << 20
LOGS_KEPT: Final = 3
CRASHES_KEPT: Final = 10

# user:password@ in a URL; Authorization values; NAME=value where the name says secret.
_REDACTIONS: Final = (
    (re.compile(r"(\w+://[^\s:/@]+:)[^\s@]+(@)"), rf"\1{MASK}\2"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), rf"\1 {MASK}"),
    (
        re.compile(
            r"(?i)([\w-]*(?:secret|passw(?:or)?d|token|api_?key|access_?key|credential)[\w-]*"
            r"[\"']?\s*[=:]\s*[\"']?)[^\s\"',;]+"
        ),
        rf"\1{MASK}",
    ),
)


def redact(text: str) -> str:
    """`text` without what looks like a secret."""
    for pattern, replacement in _REDACTIONS:
        text = pattern.sub(replacement, text)
    return text


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def start_log(paths: Paths, *, debug: bool) -> Path | None:
    """Log to a rotating file; gives its path, or None where it cannot be written.

    Libraries are heard from warnings on, with `debug` from their info on; cofa itself
    from info on, with `debug` entirely. paramiko calls an error what a port that nobody
    listens on answers to each look: what matters of it becomes a Reading's failure.
    """
    path = paths.state / "log" / "cofa.log"
    root = logging.getLogger()
    try:
        private_directory(path.parent)
        handler: logging.Handler = _PrivateHandler(
            path,
            maxBytes=LOG_SIZE,
            backupCount=LOGS_KEPT,
            delay=True,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError:
        root.addHandler(logging.NullHandler())
        return None
    form = _Redacting("%(asctime)s %(process)d %(threadName)s %(levelname)s %(name)s %(message)s")
    form.converter = time.gmtime
    handler.setFormatter(form)
    root.addHandler(handler)
    root.setLevel(logging.INFO if debug else logging.WARNING)
    logging.getLogger("paramiko").setLevel(logging.INFO if debug else logging.CRITICAL)
    logging.getLogger("cofa").setLevel(logging.DEBUG if debug else logging.INFO)
    return path


class _PrivateHandler(RotatingFileHandler):
    def _open(self) -> Any:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, self.mode, encoding=self.encoding, errors=self.errors)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging names it)
        """A full disk must not take the console with it."""


def write_crash(paths: Paths, error: BaseException) -> Path | None:
    """Write what cofa's developers need to mend a crash: versions and frames, no locals."""
    directory = paths.state / "crash"
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    frames = "".join(traceback.format_exception(error))
    text = (
        f"cofa {__version__}\nPython {platform.python_version()} on {platform.platform()}\n"
        f"arguments: {' '.join(clean(word, 200) for word in sys.argv[1:])}\n\n{frames}"
    )
    try:
        private_directory(directory)
        path = directory / f"{moment}-{os.getpid()}.txt"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(redact(text))
        for old in sorted(directory.glob("*.txt"))[:-CRASHES_KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        return None
    return path


def log_thread_crashes() -> Callable[[], None]:
    """Send what escapes from threads to the log, not to the screen; gives the way back."""
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            kind: type[BaseException] = args.exc_type
            trace: TracebackType | None = args.exc_traceback
            name = args.thread.name if args.thread else "?"
            logging.getLogger("cofa").error(
                "thread %s", name, exc_info=(kind, args.exc_value, trace)
            )

    threading.excepthook = hook

    def restore() -> None:
        threading.excepthook = before

    return restore
