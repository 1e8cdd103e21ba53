"""The engine's log streams, taken apart into lines.

Format (Docker Engine API, "Attach to a container", stream format): frames of
``[stream, 0, 0, 0, length in 4 bytes, big endian]`` and that many bytes; with a terminal
there are no frames. Each message begins with its time. A line longer than the log driver's
buffer (16 KiB) comes in several messages, each with its own time, the last alone with an
end of line.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from console.links.engine.parts import moment
from console.model.fleet import LogLine
from console.text import LINE_LIMIT, clean

_HEADER: Final = 8
_STREAMS: Final = {0: "stdout", 1: "stdout", 2: "stderr", 3: "stderr"}
_STAMP: Final = 31
"""Bytes of a time and its space as the engine writes them (RFC3339NanoFixed)."""
_KEPT: Final = LINE_LIMIT * 4 + _STAMP
"""Bytes of a line that can become characters; what follows is only counted."""
_TIME: Final = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ?")


class _Line:
    """One line being put together, its size bounded."""

    def __init__(self, replica: str, stream: str) -> None:
        self._replica = replica
        self._stream = stream
        self._kept = bytearray()
        self._dropped = 0

    def add(self, data: bytes, *, message: bool = False) -> Iterator[LogLine]:
        """Take in `data`, which begins a message or not; gives the lines it completes."""
        if message and self._kept and _TIME.match(self._kept):
            self._dropped -= _STAMP  # a later message of the same line: its time is no text
        *ends, rest = data.split(b"\n")
        for part in ends:
            self._append(part)
            yield self._take()
        self._append(rest)

    def end(self) -> Iterator[LogLine]:
        """What is left of a line without an end."""
        if self._kept:
            yield self._take()

    def _append(self, data: bytes) -> None:
        room = max(0, _KEPT - len(self._kept))
        self._kept += data[:room]
        self._dropped += max(0, len(data) - room)

    def _take(self) -> LogLine:
        data, dropped = bytes(self._kept), max(0, self._dropped)
        self._kept.clear()
        self._dropped = 0
        stamp = _TIME.match(data)
        at = moment(stamp[1].decode()) if stamp else None
        body = data[stamp.end() :] if stamp and at is not None else data
        words = body.decode("utf-8", "replace").rstrip("\r")
        if not dropped:
            return LogLine(at, self._replica, self._stream, clean(words))
        more = dropped + len(words[LINE_LIMIT:].encode())
        shown = f"{clean(words[:LINE_LIMIT])} ... {more} more bytes"
        return LogLine(at, self._replica, self._stream, shown)


def plain_lines(chunks: Iterable[bytes], replica: str) -> Iterator[LogLine]:
    """Lines of a container with a terminal: one stream, no frames."""
    line = _Line(replica, "stdout")
    for chunk in chunks:
        yield from line.add(chunk)
    yield from line.end()


def framed_lines(chunks: Iterable[bytes], replica: str) -> Iterator[LogLine]:
    """Lines of a stream in frames, of any length and cut anywhere."""
    lines = {name: _Line(replica, name) for name in ("stdout", "stderr")}
    for stream, data, begins in _frames(chunks):
        yield from lines[stream].add(data, message=begins)
    for line in lines.values():
        yield from line.end()


def _frames(chunks: Iterable[bytes]) -> Iterator[tuple[str, bytes, bool]]:
    """(stream, bytes, whether a frame begins with them), without waiting for whole frames."""
    header = b""
    stream, left, begins = "stdout", 0, True
    for chunk in chunks:
        while chunk:
            if left == 0:
                header, chunk = (
                    header + chunk[: _HEADER - len(header)],
                    chunk[_HEADER - len(header) :],
                )
                if len(header) < _HEADER:
                    break
                stream = _STREAMS.get(header[0], "stdout")
                left, begins, header = int.from_bytes(header[4:], "big"), True, b""
                continue
            data, chunk = chunk[:left], chunk[left:]
            left -= len(data)
            yield stream, data, begins
            begins = False
