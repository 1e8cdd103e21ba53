"""The path that a health check asks is what its edges are asked."""

import pytest

from console.links.engine.healthchecks import asked_path


@pytest.mark.parametrize(
    ("test", "path"),
    [
        (["CMD", "curl", "-f", "http://localhost:8000/health"], "/health"),
        (
            ["CMD-SHELL", "curl -fsS http://127.0.0.1:80/api/healthz?deep=1 || exit 1"],
            "/api/healthz?deep=1",
        ),
        (["CMD-SHELL", "wget -qO- localhost:3000/ping >/dev/null"], "/ping"),
        (["CMD", "python", "-c", "urlopen('http://[::1]:8000/-/ready')"], "/-/ready"),
        (["CMD-SHELL", "pg_isready -U shop"], ""),
        (["CMD", "curl", "-f", "http://localhost:8000"], ""),
        (["CMD-SHELL", "curl http://elsewhere.example/health"], ""),
        (["NONE"], ""),
        ([], ""),
        (["CMD-SHELL", "curl http://localhost/\x1b[31mred"], "/red"),
    ],
)
def test_the_path(test: list[str], path: str) -> None:
    assert asked_path(test) == path
