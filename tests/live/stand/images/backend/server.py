"""The stand's backend: a small web application that can also be ill.

`STAND_MODE` (set by the image) says how: good, sick, slow, erring, oom, deaf.
Standard library only, HTTP/1.1 with keep-alive, and a drain on SIGTERM.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

MODE = os.environ.get("STAND_MODE", "good")
VERSION = os.environ.get("APP_VERSION", "unknown")
READY_AFTER = float(os.environ.get("READY_AFTER_SECONDS", "1.0"))
SLOW_SECONDS = 2.5
ERROR_SHARE = 0.3
OOM_AFTER_SECONDS = 4.0
DRAIN_SECONDS = 8.0
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROUTES = {"/api/trips", "/api/photos", "/api/users", "/api/login", "/health", "/docs"}
COUNTED = {
    ("POST", "/api/trips"): "trips_created_total",
    ("POST", "/api/photos"): "photos_uploaded_total",
    ("POST", "/api/users"): "users_registered_total",
}


@dataclass
class Metrics:
    """Counters and one histogram, written in Prometheus's text format."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    requests: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    buckets: Counter[tuple[str, str, float]] = field(default_factory=Counter)
    sums: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    business: Counter[str] = field(default_factory=Counter)

    def observe(self, method: str, handler: str, status: int, seconds: float) -> None:
        with self.lock:
            self.requests[method, handler, str(status)] += 1
            self.counts[method, handler] += 1
            self.sums[method, handler] += seconds
            for edge in BUCKETS:
                if seconds <= edge:
                    self.buckets[method, handler, edge] += 1
            name = COUNTED.get((method, handler))
            if name and status < 300:
                self.business[name] += 1

    def text(self) -> str:
        with self.lock:
            return "\n".join([*self._requests(), *self._latency(), *self._business(), ""])

    def _requests(self) -> list[str]:
        lines = ["# TYPE http_requests_total counter"]
        for (method, handler, status), count in sorted(self.requests.items()):
            labels = f'method="{method}",handler="{handler}",status="{status}"'
            lines.append(f"http_requests_total{{{labels}}} {count}")
        return lines

    def _latency(self) -> list[str]:
        name = "http_request_duration_seconds"
        lines = [f"# TYPE {name} histogram"]
        for (method, handler), count in sorted(self.counts.items()):
            labels = f'method="{method}",handler="{handler}"'
            for edge in BUCKETS:
                below = self.buckets[method, handler, edge]
                lines.append(f'{name}_bucket{{{labels},le="{edge}"}} {below}')
            lines.append(f'{name}_bucket{{{labels},le="+Inf"}} {count}')
            lines.append(f"{name}_sum{{{labels}}} {self.sums[method, handler]:.6f}")
            lines.append(f"{name}_count{{{labels}}} {count}")
        return lines

    def _business(self) -> list[str]:
        lines = []
        for name in COUNTED.values():
            lines += [f"# TYPE {name} counter", f"{name} {self.business[name]}"]
        lines += ["# TYPE app_info gauge", f'app_info{{version="{VERSION}"}} 1']
        return lines


METRICS = Metrics()


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("0.0.0.0", 8000), Handler)
        self.started = time.monotonic()
        self.draining = False
        self.open: dict[socket.socket, bool] = {}
        self.lock = threading.Lock()

    def ready(self) -> bool:
        return not self.draining and time.monotonic() - self.started >= READY_AFTER

    def mark(self, connection: socket.socket, busy: bool) -> None:
        with self.lock:
            self.open[connection] = busy

    def forget(self, connection: socket.socket) -> None:
        with self.lock:
            self.open.pop(connection, None)

    def drain(self) -> None:
        """Take no more, finish what is under way, close what is idle."""
        self.draining = True
        self.shutdown()
        self.server_close()
        deadline = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < deadline:
            with self.lock:
                idle = [connection for connection, busy in self.open.items() if not busy]
                left = len(self.open)
            if not left:
                break
            for connection in idle:
                self._hang_up(connection)
            time.sleep(0.05)
        log("info", "stopped", connections_left=left)

    @staticmethod
    def _hang_up(connection: socket.socket) -> None:
        try:
            connection.shutdown(socket.SHUT_RD)
        except OSError:
            return


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 75
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.mark(self.connection, busy=False)

    def finish(self) -> None:
        self.server.forget(self.connection)
        super().finish()

    def parse_request(self) -> bool:
        self.server.mark(self.connection, busy=True)
        return super().parse_request()

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def _serve(self) -> None:
        began = time.monotonic()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        if path == "/metrics":
            self._send(200, METRICS.text(), "text/plain; version=0.0.4")
            return
        status, answer = self._answer(path, len(body))
        self._send(status, json.dumps(answer) + "\n", "application/json")
        took = time.monotonic() - began
        METRICS.observe(self.command, path if path in ROUTES else "other", status, took)
        if path != "/health":
            level = "error" if status >= 500 else "info"
            log(level, "request", method=self.command, path=path, status=status, ms=took * 1000)

    def _answer(self, path: str, size: int) -> tuple[int, dict[str, object]]:
        who: dict[str, object] = {"version": VERSION, "replica": socket.gethostname()}
        if path == "/health":
            return self._health(who)
        if not self.server.ready() and not self.server.draining:
            return 503, {**who, "error": "starting"}
        if path not in ROUTES:
            return 404, {**who, "error": "not found"}
        time.sleep(SLOW_SECONDS if MODE == "slow" else random.lognormvariate(-4.2, 0.5))
        if MODE == "erring" and random.random() < ERROR_SHARE:
            return 500, {**who, "error": 'relation "trips_v2" does not exist'}
        if self.command == "POST":
            return 201, {**who, "stored": size}
        return 200, {**who, "items": [{"id": number} for number in range(5)]}

    def _health(self, who: dict[str, object]) -> tuple[int, dict[str, object]]:
        if MODE == "sick":
            return 503, {**who, "status": "unhealthy", "database": "schema is older than the code"}
        if not self.server.ready():
            return 503, {**who, "status": "draining" if self.server.draining else "starting"}
        return 200, {**who, "status": "healthy"}

    def _send(self, status: int, text: str, kind: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if self.server.draining:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        self.server.mark(self.connection, busy=False)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are logged once, as JSON, by `_serve`."""


def log(level: str, message: str, **fields: object) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    fields = {k: round(v, 1) if isinstance(v, float) else v for k, v in fields.items()}
    record = {"time": f"{stamp}Z", "level": level, "message": message, **fields}
    print(json.dumps(record), file=sys.stdout, flush=True)


def eat_memory() -> None:
    """Eight MiB every tenth of a second, really touched, until the kernel ends it."""
    time.sleep(OOM_AFTER_SECONDS)
    log("warning", "cache grows without bound")
    eaten = []
    while True:
        eaten.append(bytearray(os.urandom(1024) * 8192))
        time.sleep(0.1)


def main() -> None:
    server = Server()
    stop = threading.Event()
    if MODE == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: stop.set())
    if MODE == "oom":
        threading.Thread(target=eat_memory, daemon=True).start()
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    log("info", "started", version=VERSION)
    stop.wait()
    log("info", "draining")
    server.drain()


if __name__ == "__main__":
    main()
