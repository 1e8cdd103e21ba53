"""`cofa init`: writes once, privately, and what it wrote is read back."""

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.__main__ import run
from console.commands import discovering, init
from console.config.discovery import Seen, discover
from console.config.environment import EngineConfig, HostConfig, written
from console.config.load import load_config
from console.errors import UsageError
from console.model.fleet import (
    ComposeOrigin,
    Fleet,
    Health,
    Image,
    Port,
    Replica,
    Service,
    ServiceKind,
    State,
)

FLEET = Fleet(
    "prod-1",
    "26.1",
    tuple(
        Service(
            f"shop/{name}",
            name,
            ServiceKind.COMPOSE,
            (
                Replica(
                    f"id-{name}",
                    f"shop-{name}-1",
                    f"shop/{name}",
                    Image(image),
                    State.RUNNING,
                    Health.HEALTHY,
                    node="prod-1",
                    addresses={"shop_default": "172.18.0.9"},
                    ports=ports,
                ),
            ),
            "shop",
            healthcheck=True,
        )
        for name, image, ports in (
            ("api", "acme/api:1", ()),
            ("nginx", "nginx", (Port(443, "tcp", "0.0.0.0", 443),)),
        )
    ),
)
SEEN = Seen(FLEET, EngineConfig("unix:///run/docker.sock"), "DOCKER_HOST", HostConfig("prod-1"))


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A user of their own in a directory of their own, and an engine that is discovered."""

    def found(opener: Any, environ: Any, clock: Any, name: str, address: str, project: str) -> Any:
        engine = EngineConfig(address) if address else SEEN.engine
        projects = (project,) if project else ()
        return discover(replace(SEEN, engine=engine, projects=projects), name)

    monkeypatch.setattr(discovering, "discover_now", found)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return {"HOME": str(tmp_path / "home")}


def test_one_project_of_several(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert init.main(["--project", "acme", "--file", "-"], environ) == 0
    assert 'projects = ["acme"]' in capsys.readouterr().out


def test_it_writes_privately_where_cofa_looks(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert init.main([], environ) == 0
    path = Path(environ["HOME"]) / ".config" / "cofa" / "cofa.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    expected = written(discover(SEEN).environment)
    assert load_config(path).environments["production"] == expected
    said = capsys.readouterr().out
    assert f"wrote {path}" in said
    assert "look at: no prometheus was found" in said
    assert said.endswith("next: cofa doctor\n")


def test_it_never_overwrites(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text("mine")
    assert run(["init", "--file", "mine.toml"], environ) == 73
    assert Path("mine.toml").read_text() == "mine"
    assert "never overwrites" in capsys.readouterr().err


def test_a_link_to_nowhere_is_not_followed(environ: dict[str, str], tmp_path: Path) -> None:
    Path("link.toml").symlink_to(tmp_path / "target.toml")
    assert run(["init", "--file", "link.toml"], environ) == 73
    assert not (tmp_path / "target.toml").exists()


def test_a_file_that_appears_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "cofa.toml"
    path.write_text("theirs")
    with pytest.raises(init.CannotWriteError, match="never overwrites"):
        init.write_new(path, "ours")
    assert path.read_text() == "theirs"


def test_a_place_that_is_not_there(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", "--file", "absent/cofa.toml"], environ) == 73
    assert "no such file or directory" in capsys.readouterr().err


def test_another_file_and_name(environ: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--env", "staging", "--file", "s.toml", "--engine", "ssh://ana@stage-1/run/d.sock"]
    assert init.main(options, environ) == 0
    config = load_config(Path("s.toml").absolute())
    assert config.default == "staging"
    assert config.environments["staging"].engine.address == "ssh://ana@stage-1/run/d.sock"
    assert "next: cofa doctor --config s.toml" in capsys.readouterr().out


def test_standard_output_writes_no_file(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert init.main(["--file", "-"], environ) == 0
    text = capsys.readouterr().out
    path = tmp_path / "copy.toml"
    path.write_text(text)
    assert load_config(path).environments["production"].backend == "shop/api"
    assert not (Path(environ["HOME"]) / ".config").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--env", "rehearsal"],
        ["--env", "a b"],
        ["--engine", "ssh://-oProxyCommand=x"],
        ["--engine", "docker"],
        ["--nonsense"],
    ],
)
def test_wrong_options_are_usage_errors(environ: dict[str, str], options: list[str]) -> None:
    with pytest.raises(UsageError):
        init.main(options, environ)


COMPOSE = """
services:
  one:
    env_file: .env.one   # comment
    image: x
  two:
    env_file:
      - ./sub/two.env
      - "three.env"
      - path: four.env
        required: false
      - ${DYNAMIC}.env
    environment:
      - NOT=this.env
  three:
    env_file: [inline.env]
"""


def test_env_files_that_a_compose_file_names() -> None:
    assert list(discovering.named_env_files(COMPOSE)) == [
        ".env.one",
        "./sub/two.env",
        "three.env",
        "four.env",
    ]


class FakeHost:
    """A host with some files; what is denied or hangs can be named."""

    def __init__(self, files: dict[str, bytes], denied: str = "", dead: bool = False) -> None:
        self.files = files
        self.denied = denied
        self.dead = dead
        self.asked: list[str] = []

    def run(self, argv: Any, deadline: Any, *, stdin: bytes = b"", limit: int = 0) -> Any:
        from console.errors import FailureKind, LinkError
        from console.links.protocols import Completed

        assert argv[0] == "head" and argv[-2] == "--"
        path = argv[-1]
        self.asked.append(path)
        if self.dead:
            raise LinkError(FailureKind.TIMEOUT, "host:prod-1", "timed out", "try again")
        if path == self.denied:
            return Completed(tuple(argv), 1, b"", b"head: cannot open: Permission denied\n")
        if path not in self.files:
            return Completed(tuple(argv), 1, b"", b"head: cannot open: No such file\n")
        return Completed(tuple(argv), 0, self.files[path], b"")


def with_origin(*files: str) -> Fleet:
    origin = ComposeOrigin("shop", "/srv/shop", ("compose.yaml",), files)
    return replace(
        FLEET, services=tuple(replace(service, origin=origin) for service in FLEET.services)
    )


def read(host: FakeHost, *files: str) -> Any:
    from console.clock import ManualClock

    return discovering.read_env_files(with_origin(*files), host, ManualClock())  # type: ignore[arg-type]


def test_env_files_are_read_once_and_without_their_secrets() -> None:
    host = FakeHost(
        {
            "/srv/shop/.env.prod": b"BACKUP_S3_BUCKET=dumps\nAWS_SECRET_ACCESS_KEY=hunter2\n",
            "/srv/shop/compose.yaml": b"services:\n  a:\n    env_file: extra.env\n",
            "/srv/shop/extra.env": b"DOMAIN=example.com\n",
        }
    )
    found = read(host, "/srv/shop/.env.prod")
    assert [(item.path, dict(item.values)) for item in found.files] == [
        ("/srv/shop/.env.prod", {"BACKUP_S3_BUCKET": "dumps"}),
        ("/srv/shop/extra.env", {"DOMAIN": "example.com"}),
    ]
    assert found.doubts == ()
    assert "hunter2" not in repr(found)
    assert len(host.asked) == len(set(host.asked))


def test_a_named_env_file_that_is_denied_is_a_doubt() -> None:
    found = read(FakeHost({}, denied="/srv/shop/.env.prod"), "/srv/shop/.env.prod")
    assert len(found.doubts) == 1 and "Permission denied" in found.doubts[0]


def test_a_dead_host_is_asked_once_only() -> None:
    host = FakeHost({}, dead=True)
    found = read(host, "/srv/a.env", "/srv/b.env")
    assert host.asked == ["/srv/a.env"]
    assert "timed out" in found.doubts[0]
