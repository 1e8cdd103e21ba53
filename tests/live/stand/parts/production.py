"""The Compose project: its directory as it would lie on a server, and its start."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import services
from engines import Engine
from layout import DOMAIN, GOOD_TAG, SOURCE, Layout
from material import password
from procs import StandError, last_lines, run, say, wait_until

BUCKET = "shop-vault"
PREFIX = "database/"
REGION = "eu-south-2"
REPLICAS = 3
SERVICES = 10


@dataclass(frozen=True)
class Production:
    engine: Engine

    @property
    def layout(self) -> Layout:
        return self.engine.layout

    @property
    def env_file(self) -> Path:
        return self.layout.shop / ".env"

    def compose(self, *arguments: str, timeout: float = 120) -> str:
        where = ("compose", "--project-directory", self.layout.shop)
        return run(self.engine.words(*where, *arguments), timeout=timeout, cwd=self.layout.shop)

    def render(self) -> None:
        """The files of the repository, in their present form; secrets are kept."""
        shutil.copytree(SOURCE / "shop", self.layout.shop, dirs_exist_ok=True)
        self.layout.shop.chmod(0o755)
        for folder in ("edge-a/upstreams", "prometheus/rules"):
            kept = {path.name for path in (SOURCE / "shop" / folder).iterdir()}
            for path in (self.layout.shop / folder).iterdir():
                if path.name not in kept:
                    path.unlink()
        self.env_file.touch(mode=0o600)
        values = {**self._secrets(), **read_env(self.env_file), **self._settings()}
        self.env_file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))

    def _secrets(self) -> dict[str, str]:
        return {
            "SECRET_KEY": password(128),
            "POSTGRES_PASSWORD": password(48),
            "REDIS_PASSWORD": password(32),
            "AWS_ACCESS_KEY_ID": password(20),
            "AWS_SECRET_ACCESS_KEY": password(40),
        }

    def _settings(self) -> dict[str, str]:
        ports = self.layout.ports
        return {
            "APP_ENV": "production",
            "DOMAIN": DOMAIN,
            "REGISTRY": self.layout.registry,
            "BACKEND_TAG": GOOD_TAG,
            "POSTGRES_USER": "shop",
            "POSTGRES_DB": "shop_prod",
            "BACKUP_S3_BUCKET": BUCKET,
            "BACKUP_S3_PREFIX": PREFIX,
            "BACKUP_S3_REGION": REGION,
            "BACKUP_S3_ENDPOINT": f"http://127.0.0.1:{ports.s3}",
            "EDGE_A_HTTP": str(ports.edge_a_http),
            "EDGE_A_HTTPS": str(ports.edge_a_https),
            "EDGE_B_HTTP": str(ports.edge_b_http),
            "EDGE_B_HTTPS": str(ports.edge_b_https),
            "PROMETHEUS_PORT": str(ports.prometheus),
            "ALERTMANAGER_PORT": str(ports.alertmanager),
            "POSTGRES_PORT": str(ports.postgres),
            "REDIS_PORT": str(ports.redis),
        }

    def start(self) -> None:
        say("starting the Compose project")
        self.compose("up", "--detach", "--remove-orphans", timeout=240)
        wait_until(
            "the Compose project is healthy",
            self.healthy,
            timeout=120,
            explain=self.explain,
            pause=0.3,
        )
        self._admit()

    def _admit(self) -> None:
        """The edges keep the addresses they resolved at their start: reload, then ask."""
        ports = self.layout.ports
        for edge, port in (("edge-a", ports.edge_a_https), ("edge-b", ports.edge_b_https)):
            self.compose("exec", "-T", edge, "nginx", "-s", "reload", timeout=30)
            served = partial(self._serves, f"https://127.0.0.1:{port}/api/trips")
            log = partial(self._log_of, edge)
            wait_until(f"{edge} serves the API", served, timeout=30, explain=log)

    def _serves(self, url: str) -> bool:
        return services.serves(url, self.layout.keys / "ca.pem")

    def _log_of(self, service: str) -> str:
        return last_lines(self.compose("logs", "--no-color", "--tail", "15", service))

    def containers(self) -> list[dict[str, str]]:
        listed = self.compose("ps", "--all", "--format", "json")
        return [json.loads(line) for line in listed.splitlines() if line.strip()]

    def healthy(self) -> bool:
        rows = self.containers()
        counts = Counter(row["Service"] for row in rows)
        fine = all(row["State"] == "running" and row["Health"] in ("", "healthy") for row in rows)
        return fine and counts["backend"] == REPLICAS and len(counts) == SERVICES

    def explain(self) -> str:
        """Who is not well, and the end of its log."""
        parts = []
        for row in self.containers():
            if row["State"] != "running" or row["Health"] not in ("", "healthy"):
                parts.append(f"  {row['Name']}: {row['State']} {row['Health']}")
                parts.append(last_lines(self.engine.docker("logs", "--tail", "15", row["Name"])))
        return "\n".join(parts)

    def stop(self) -> None:
        """In order where that works; `down` removes the engine and its data anyway."""
        if self.engine.daemon.pid() is None or not (self.layout.shop / "compose.yaml").exists():
            return
        try:
            self.compose("down", "--volumes", "--remove-orphans", "--timeout", "3", timeout=120)
        except StandError as error:
            say(f"the Compose project did not go in order: {error}")


def read_env(path: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in path.read_text().splitlines() if "=" in line)
    return {name: value for name, _, value in pairs}
