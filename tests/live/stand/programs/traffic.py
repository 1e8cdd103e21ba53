"""A little traffic through the edges, so that there is latency to look at.

    traffic.py CA_FILE HOURS PORT...

Five requests a second in all, to loopback only, until the hours are over.
"""

from __future__ import annotations

import http.client
import random
import ssl
import sys
import time

PER_SECOND = 5.0
DOMAIN = "shop.test"
REQUESTS = (
    ("GET", "/api/trips", 60),
    ("POST", "/api/trips", 15),
    ("GET", "/api/users", 12),
    ("POST", "/api/photos", 6),
    ("POST", "/api/users", 3),
    ("POST", "/api/login", 4),
)


class Edge:
    """One edge, over one connection while it lasts."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._port, self._context = port, context
        self._connection = self._new()

    def _new(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=5, context=self._context
        )

    def ask(self, method: str, path: str) -> None:
        body = b'{"title": "a trip"}' if method == "POST" else None
        try:
            self._connection.request(method, path, body, {"Host": DOMAIN})
            self._connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            self._connection = self._new()


def main() -> None:
    ca_file, hours, *ports = sys.argv[1:]
    context = ssl.create_default_context(cafile=ca_file)
    edges = [Edge(int(port), context) for port in ports]
    weights = [weight for _, _, weight in REQUESTS]
    end = time.monotonic() + float(hours) * 3600
    turn = 0
    while time.monotonic() < end:
        method, path, _ = random.choices(REQUESTS, weights)[0]
        edges[turn % len(edges)].ask(method, path)
        turn += 1
        time.sleep(random.uniform(0.5, 1.5) / PER_SECOND)


if __name__ == "__main__":
    main()
