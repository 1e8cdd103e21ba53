"""What an edge's own log says of upstreams that it could not reach.

nginx writes one line to its error log for each: what failed ``while connecting to
upstream``, the client, server and request, then ``upstream: "http://ADDRESS:PORT/..."``.
Requests are text from strangers: a line whose request holds a quote, by which it could
pretend another upstream, is left out.
"""

import re
from collections.abc import Iterable
from typing import Final

from console.model.edges import Upstreams
from console.model.fleet import LogLine

LINES: Final = 2_000
"""Lines of an edge's log that are read."""

_NGINX: Final = re.compile(
    r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(?:error|crit|warn)\] .*?"
    r"(?:connect\(\) failed \(\d+: [^)]*\)|upstream timed out \(\d+: [^)]*\)|no live upstreams|"
    r"recv\(\) failed \(\d+: [^)]*\)|upstream prematurely closed connection|"
    r"connect\(\) to \S+ failed \(\d+: [^)]*\))"
    r" while (?:connecting to|reading response header from) upstream, "
    r'client: [^,"]*, server: [^,"]*, request: "[^"]*", (?:subrequest: "[^"]*", )?'
    r'upstream: "\w+://([^/"]+)[^"]*"(?:, host: "[^"]*")?(?:, referrer: "[^"]*")?$'
)
_SLOW: Final = re.compile(r"upstream timed out .* while reading")


def upstreams_of(edge: str, lines: Iterable[LogLine], since: float) -> Upstreams:
    """The addresses to which requests went in vain since then, most failures first.

    An upstream that connected but answered too late is slow, not gone: it is not counted.
    """
    found: dict[str, tuple[int, float]] = {}
    for line in lines:
        if line.at is None or line.at < since:
            continue
        match = _NGINX.match(line.text)
        if match and not _SLOW.search(line.text):
            count, newest = found.get(match[1], (0, 0.0))
            found[match[1]] = (count + 1, max(newest, line.at))
    ordered = sorted(found.items(), key=lambda item: (-item[1][0], item[0]))
    return Upstreams(edge, tuple((address, count, at) for address, (count, at) in ordered))
