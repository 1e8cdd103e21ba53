"""cofa.toml: what it becomes, and every way in which it can be wrong."""

import os
import random
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from console.config.environment import (
    Arming,
    BackupsConfig,
    EdgeConfig,
    EngineConfig,
    Environment,
    HostConfig,
    HttpConfig,
    SecretRef,
)
from console.config.kinds import Shape
from console.config.load import choose, load_config
from console.config.problems import ConfigErrors
from console.config.schema import (
    ALERTMANAGER,
    BACKUPS,
    BURN,
    EDGE,
    ENGINE,
    ENVIRONMENT,
    FILE,
    HOST,
    POLICY,
    every_key,
)
from console.config.where import find_config
from console.errors import UsageError
from console.model.policy import BurnAlarm, Policy

ROOT = Path(__file__).parents[2]
MINIMAL = "version = 1\n[environments.production]\n"


def write(directory: Path, text: str | bytes, name: str = "cofa.toml") -> Path:
    path = directory / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o600)
    return path


def refused(directory: Path, text: str | bytes, **options: Any) -> ConfigErrors:
    with pytest.raises(ConfigErrors) as caught:
        load_config(write(directory, text), **options)
    return caught.value


def only(directory: Path, body: str) -> Any:
    """The only problem of the minimal file with this in its environment."""
    problems = refused(directory, MINIMAL + body).problems
    assert len(problems) == 1, problems
    return problems[0]


def test_the_least_file(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL))
    assert config.environments == {"production": Environment("production")}
    assert config.default == "production"
    assert config.path == tmp_path / "cofa.toml"
    assert config.warnings == ()


def test_the_example_holds_every_key_and_loads() -> None:
    path = ROOT / "docs" / "cofa.example.toml"
    raw = tomllib.loads(path.read_text())
    present = set(paths(raw))
    absent = {key for key in every_key() if key not in present}
    # A table that a single text replaces, and two that exclude what the example shows.
    assert absent <= {"environments.NAME.alertmanager.bearer", "environments.NAME.backups.profile"}
    production = load_config(path).environments["production"]
    assert production.engine.address.startswith("ssh://")
    assert production.edges and production.hosts and production.backups


def paths(value: Any, path: str = "", depth: int = 0) -> list[str]:
    """Each key of a parsed file, as every_key() writes them."""
    found: list[str] = []
    if isinstance(value, list):
        for item in value:
            found += paths(item, f"{path}[]", depth)
    elif isinstance(value, dict):
        for key, item in value.items():
            named = "NAME" if path == "environments" else key
            here = f"{path}.{named}" if path else named
            found += [here, *paths(item, here, depth + 1)]
    return found


def test_the_documentation_names_every_key() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    for key in every_key():
        name = key.rpartition(".")[2]
        assert f"`{name}`" in text, f"docs/configuration.md does not explain {key}"


def test_the_whole_of_an_environment(tmp_path: Path) -> None:
    text = """
version = 1
default = "staging"
[environments.production]
engine = "ssh://deploy@prod-1"
projects = ["shop"]
backend = "shop/backend"
arming = "forbidden"
hosts = [{ name = "prod-1", address = "ssh://deploy@prod-1" }]
[[environments.production.edges]]
name = "nginx-1"
url = "https://api.example.com"
connect = "127.0.0.1:8443"
http_connect = "none"
through = "prod-1"
health = "/healthz"
ca = "ca.pem"
replica = "shop-nginx-1"
[environments.production.prometheus]
url = "http://127.0.0.1:9090/prom"
through = "prod-1"
username = "cofa"
password = { file = "secrets/prometheus" }
[environments.production.prometheus.queries]
p95 = "my_p95"
[environments.production.prometheus.counters]
registrations = "registrations_total"
[environments.production.alertmanager]
url = "http://127.0.0.1:9093"
bearer = { command = ["pass", "show", "am"] }
[environments.production.backups]
bucket = "shop-backups"
pattern = "database/shop_%Y%m%d_%H%M%S.backup"
access_key = { env = "KEY_ID" }
secret_key = { env_file = "/srv/shop/.env", key = "AWS_SECRET", host = "prod-1" }
[environments.production.policy]
p95 = "1500 ms"
p95_endpoints = { "/auth/login" = "4 s" }
availability = "99.95 %"
burn = [{ long = "1h", short = "5m", factor = 10, severity = "P0" }]
never_outside = [5432]
replicas = { backend = 3 }
[environments.staging]
engine = { address = "tcp://10.0.0.1:2376", tls_ca = "~/ca.pem", socket = "/run/docker.sock" }
"""
    config = load_config(write(tmp_path, text), environ={"HOME": "/home/ana"})
    assert config.default == "staging"
    assert config.environments["staging"].engine == EngineConfig(
        "tcp://10.0.0.1:2376", "/run/docker.sock", Path("/home/ana/ca.pem")
    )
    assert config.environments["production"] == Environment(
        name="production",
        engine=EngineConfig("ssh://deploy@prod-1"),
        projects=("shop",),
        backend="shop/backend",
        arming=Arming.FORBIDDEN,
        hosts=(HostConfig("prod-1", "ssh://deploy@prod-1"),),
        edges=(
            EdgeConfig(
                "nginx-1",
                "https://api.example.com",
                "127.0.0.1:8443",
                "none",
                "prod-1",
                "/healthz",
                tmp_path / "ca.pem",
                "shop-nginx-1",
            ),
        ),
        prometheus=HttpConfig(
            "http://127.0.0.1:9090/prom",
            "prod-1",
            "cofa",
            SecretRef(file=tmp_path / "secrets" / "prometheus"),
        ),
        alertmanager=HttpConfig(
            "http://127.0.0.1:9093", bearer=SecretRef(command=("pass", "show", "am"))
        ),
        backups=BackupsConfig(
            "shop-backups",
            "database/shop_%Y%m%d_%H%M%S.backup",
            access_key=SecretRef(env="KEY_ID"),
            secret_key=SecretRef(env_file=Path("/srv/shop/.env"), key="AWS_SECRET", host="prod-1"),
        ),
        queries={"p95": "my_p95"},
        counters={"registrations": "registrations_total"},
        policy=Policy(
            p95=1.5,
            p95_endpoints={"/auth/login": 4.0},
            availability=0.9995,
            burn=(BurnAlarm("1h", "5m", 10.0, "P0"),),
            never_outside=(5432,),
            replicas={"backend": 3},
        ),
    )


@pytest.mark.parametrize(
    ("shape", "dataclass", "not_in_the_file"),
    [
        (ENGINE, EngineConfig, set()),
        (HOST, HostConfig, set()),
        (EDGE, EdgeConfig, {"assumed"}),
        (ALERTMANAGER, HttpConfig, set()),
        (BACKUPS, BackupsConfig, set()),
        (BURN, BurnAlarm, set()),
        (POLICY, Policy, set()),
        (ENVIRONMENT, Environment, {"name", "queries", "counters", "rehearsal", "discovered"}),
    ],
)
def test_every_field_can_be_written(
    shape: Shape, dataclass: Any, not_in_the_file: set[str]
) -> None:
    keys = {field.key for field in shape.fields}
    assert keys == {field.name for field in fields(dataclass)} - not_in_the_file


def test_all_errors_come_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = """version = 1
[environments.production]
backned = "x"
arming = "never"
[environments.production.prometheus]
through = "nowhere"
[environments.production.policy]
p95 = "fast"
rpo = inf
[[environments.production.edges]]
name = "a"
ulr = "https://x"
"""
    error = refused(tmp_path, text)
    assert error.exit_code == 78
    assert [(problem.line, problem.path) for problem in error.problems] == [
        (3, "environments.production.backned"),
        (4, "environments.production.arming"),
        (5, "environments.production.prometheus"),
        (6, "environments.production.prometheus.through"),
        (8, "environments.production.policy.p95"),
        (9, "environments.production.policy.rpo"),
        (10, "environments.production.edges[0]"),
        (12, "environments.production.edges[0].ulr"),
    ]
    assert error.problems[0].suggestion == "backend"
    assert error.problems[-1].suggestion == "url"
    assert "http_connect" in error.problems[-1].allowed
    assert str(tmp_path / "cofa.toml") in str(error)
    assert "8 errors" in str(error)


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        ('engine = "docker"', "engine", "no address of an engine"),
        ("engine = 3", "engine", "no text"),
        ('engine = { socket = "relative" }', "engine.socket", "absolute"),
        ('engine = { tls_cert = "c" }', "engine.tls_cert", "tls_key"),
        ('projects = "shop"', "projects", "no array"),
        ('projects = ["a", 1]', "projects[1]", "no text"),
        ('hosts = [{ name = "a", address = "prod" }]', "hosts[0].address", "ssh://"),
        ('hosts = [{ name = "a" }, { name = "a" }]', "hosts[1].name", "twice"),
        ('hosts = [{ name = "here", address = "ssh://x" }]', "hosts[0].name", "this machine"),
        ('hosts = ["prod"]', "hosts[0]", "no table"),
        ('edges = [{ name = "a", url = "api" }]', "edges[0].url", "URL"),
        (
            'edges = [{ name = "a", url = "http://x", through = "b" }]',
            "edges[0].through",
            "no host",
        ),
        ('prometheus.url = "http://u:p@x"', "prometheus.url", "credentials"),
        (
            'prometheus = { url = "http://x", username = "u" }',
            "prometheus.username",
            "password",
        ),
        (
            'prometheus = { url = "http://x", queries = { p59 = "x" } }',
            "prometheus.queries.p59",
            "did you mean p95",
        ),
        ('backups = { bucket = "s3://b", pattern = "%Y%m%d" }', "backups.bucket", "s3://"),
        ('backups = { bucket = "bucket", pattern = "%Y" }', "backups.pattern", "%m"),
        (
            'backups = { bucket = "bbb", pattern = "%Y%m%d", access_key = { env = "A" } }',
            "backups.access_key",
            "secret_key",
        ),
        ("policy.disk_free = 80", "policy.disk_free", "between 0 and 1"),
        ('policy.certificate = "1 d"', "policy.certificate", "certificate_critical <= certificate"),
        ("policy.never_outside = [70000]", "policy.never_outside[0]", "no port"),
        (
            'policy.burn = [{ long = "5m", short = "1h", factor = 1, severity = "P1" }]',
            "policy.burn[0].short",
            "shorter",
        ),
        ('policy.replicas = { backend = "3" }', "policy.replicas.backend", "whole number"),
        ("policy.replicas = { backend = true }", "policy.replicas.backend", "whole number"),
    ],
)
def test_one_wrong_value(tmp_path: Path, body: str, path: str, words: str) -> None:
    problem = only(tmp_path, body)
    assert problem.path == f"environments.production.{path}"
    assert problem.line == 3
    assert words in str(problem)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[environments.production]\n", '"version" is missing'),
        ("version = 2\n[environments.production]\n", "no version that this cofa knows"),
        ("version = true\n[environments.production]\n", "no version that this cofa knows"),
        ("version = 1\n", '"environments" is missing'),
        ("version = 1\nenvironments = {}\n", "no environment"),
        ("version = 1\nenvironments = 3\n", "no table"),
        ('version = 1\ndefault = "prod"\n[environments.production]\n', "did you mean production"),
        ("version = 1\n[environments.a]\n[environments.b]\n", '"default" is missing'),
        ("version = 1\n[environments.rehearsal]\n", "rehearsal"),
        ('version = 1\n[environments."a b"]\n', "plain word"),
        ('version = 1\n[environments."\\u001b[31m"]\n', "plain word"),
    ],
)
def test_a_wrong_file(tmp_path: Path, text: str, words: str) -> None:
    error = refused(tmp_path, text)
    assert words in str(error)
    assert "\x1b" not in str(error)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("version = 1\nthis is no toml\n", 2, "no TOML"),
        ("version = 1\nx = [1,\n", 2, "no TOML"),
        ("version = 1\nversion = 1\n", 2, "no TOML"),
        (b"version = 1\nx = '\xff\xfe'\n", 2, "UTF-8"),
        ("x = " + "[" * 5000, None, "too deeply"),
        ("#" * (1 << 20) + "\n", None, "larger than 1 MiB"),
    ],
)
def test_what_is_no_toml(tmp_path: Path, text: str | bytes, line: int | None, words: str) -> None:
    (problem,) = refused(tmp_path, text).problems
    assert words in str(problem)
    assert problem.line == line


@pytest.mark.parametrize(
    "text",
    [
        'prometheus = { url = "http://x", username = "u", password = "hunter2" }',
        'prometheus = { url = "http://x", username = "u", passwrod = "hunter2" }',
        'prometheus = { url = "http://u:hunter2@x" }',
        'prometheus = { url = "http://x", bearer = ["hunter2"] }',
        'prometheus = { url = "http://x", bearer = { value = "hunter2" } }',
        'engine = "tcp://u:hunter2@x:1"',
        'backups = { bucket = "bbb", pattern = "%Y%m%d", access_key = "hunter2" }',
        'password = "hunter2"',
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    error = refused(tmp_path, MINIMAL + text)
    assert "hunter2" not in str(error)
    assert "hunter2" not in repr(error)
    assert error.__cause__ is None


def test_a_literal_secret_is_told_the_right_forms(tmp_path: Path) -> None:
    error = refused(tmp_path, MINIMAL + 'prometheus = { url = "http://x", bearer = "abc" }')
    for form in ('{ env = "NAME" }', '{ file = "PATH" }', '{ command = ["PROGRAM"'):
        assert form in str(error)


@pytest.mark.parametrize(
    "ref",
    [
        '{ env = "A", file = "b" }',
        "{}",
        '{ key = "A" }',
        '{ env_file = "x" }',
        "{ command = [] }",
        '{ command = "pass show x" }',
        "{ env = 3 }",
        '{ file = "" }',
        '{ env_file = "relative", key = "A", host = "prod-1" }',
        '{ env_file = "/x", key = "A", host = "nowhere" }',
    ],
)
def test_a_wrong_reference_to_a_secret(tmp_path: Path, ref: str) -> None:
    body = f'hosts = [{{ name = "prod-1" }}]\nprometheus = {{ url = "http://x", bearer = {ref} }}\n'
    backups = 'backups = { bucket = "bbb", pattern = "%Y%m%d", access_key = REF, secret_key = REF }'
    error = refused(tmp_path, MINIMAL + body + backups.replace("REF", ref))
    assert any("bearer" in p.path or "access_key" in p.path for p in error.problems)


def test_paths_start_at_the_files_directory(tmp_path: Path) -> None:
    body = 'alertmanager = { url = "https://x", ca = "pki/ca.pem", bearer = { file = "/abs" } }'
    alertmanager = (
        load_config(write(tmp_path, MINIMAL + body)).environments["production"].alertmanager
    )
    assert alertmanager is not None
    assert alertmanager.ca == tmp_path / "pki" / "ca.pem"
    assert alertmanager.bearer == SecretRef(file=Path("/abs"))


def test_a_secret_that_everybody_can_read_is_warned_of(tmp_path: Path) -> None:
    secret = write(tmp_path, "x", "token")
    body = 'alertmanager = { url = "https://x", bearer = { file = "token" } }'
    assert load_config(write(tmp_path, MINIMAL + body)).warnings == ()
    secret.chmod(0o644)
    (warning,) = load_config(write(tmp_path, MINIMAL + body)).warnings
    assert "chmod o-rwx" in warning and "line 3" in warning and "bearer" in warning


@pytest.mark.parametrize(
    ("address", "warned"), [("tcp://10.0.0.1:2375", True), ("tcp://127.0.0.1:2375", False)]
)
def test_an_unencrypted_engine_is_warned_of(tmp_path: Path, address: str, warned: bool) -> None:
    config = load_config(write(tmp_path, MINIMAL + f'engine = "{address}"'))
    assert bool(config.warnings) is warned


def test_a_deprecated_key_works_and_warns(tmp_path: Path) -> None:
    old = {"environments.*.edges[].address": "connect", "environments.*.service": "backend"}
    body = 'service = "shop/api"\nedges = [{ name = "a", url = "http://x", address = "h:1" }]\n'
    config = load_config(write(tmp_path, MINIMAL + body), deprecated=old)
    production = config.environments["production"]
    assert production.backend == "shop/api"
    assert production.edges[0].connect == "h:1"
    assert len(config.warnings) == 2
    assert 'write "backend" instead' in config.warnings[0]
    assert "line 3" in config.warnings[0]


def test_a_deprecated_key_beside_the_new_one_is_refused(tmp_path: Path) -> None:
    body = MINIMAL + 'service = "a"\nbackend = "b"\n'
    error = refused(tmp_path, body, deprecated={"environments.*.service": "backend"})
    assert 'the old name of "backend"' in str(error)


def test_a_file_that_everybody_can_change_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, MINIMAL)
    path.chmod(0o666)
    with pytest.raises(ConfigErrors, match="chmod o-w"):
        load_config(path)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_another_users_file_runs_no_commands(tmp_path: Path) -> None:
    body = 'alertmanager = { url = "https://x", bearer = { command = ["id"] } }'
    path = write(tmp_path, MINIMAL + body)
    assert load_config(path)
    os.chown(path, 12345, 12345)
    with pytest.raises(ConfigErrors, match="belongs to another user"):
        load_config(path)


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigErrors, match="cofa init"):
        load_config(tmp_path / "absent.toml")
    with pytest.raises(ConfigErrors, match="regular file"):
        load_config(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigErrors, match="regular file"):
        load_config(tmp_path / "pipe")


def test_a_mark_of_byte_order_and_other_line_ends_do_no_harm(tmp_path: Path) -> None:
    text = "\ufeff" + MINIMAL.replace("\n", "\r\n") + 'backend = "x"\r\nbad = 1\r\n'
    (problem,) = refused(tmp_path, text).problems
    assert problem.line == 4


def test_the_places_of_the_file_in_their_order(tmp_path: Path) -> None:
    home, cwd, system = tmp_path / "home", tmp_path / "cwd", tmp_path / "etc.toml"
    environ = {"HOME": str(home)}
    cwd.mkdir()
    assert find_config(None, environ, cwd, system) is None
    write(tmp_path, MINIMAL, "etc.toml")
    assert find_config(None, environ, cwd, system) == system
    (home / ".config" / "cofa").mkdir(parents=True)
    own = write(home / ".config" / "cofa", MINIMAL)
    assert find_config(None, environ, cwd, system) == own
    near = write(cwd, MINIMAL)
    assert find_config(None, environ, cwd, system) == near
    chosen = {**environ, "COFA_CONFIG": "other.toml"}
    assert find_config(None, chosen, cwd, system) == cwd / "other.toml"
    assert find_config(Path("/x/y.toml"), chosen, cwd, system) == Path("/x/y.toml")


def test_choosing_an_environment(tmp_path: Path) -> None:
    text = 'version = 1\ndefault = "a1"\n[environments.a1]\n[environments.staging]\n'
    config = load_config(write(tmp_path, text))
    assert choose(config, None).name == "a1"
    assert choose(config, "staging").name == "staging"
    with pytest.raises(UsageError, match=r"; did you mean staging\? there are: a1, staging$"):
        choose(config, "stagin")
    with pytest.raises(UsageError, match=r'"nope"; there are: a1, staging$'):
        choose(config, "nope")


def test_the_root_of_the_file_has_three_keys() -> None:
    assert [field.key for field in FILE.fields] == ["version", "default", "environments"]


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_file_is_refused_or_read_but_never_a_crash(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    lines = (ROOT / "docs" / "cofa.example.toml").read_text(encoding="utf-8").splitlines()
    values = ["3", "-1", "nan", "true", '""', '"x"', "[]", "{}", "[[]]", "{ a = 1 }", "1979-05-27"]
    for _ in range(rng.randrange(1, 6)):
        index = rng.randrange(len(lines))
        key, equals, _ = lines[index].partition("=")
        damage = rng.randrange(4)
        if damage == 0 and equals:
            lines[index] = f"{key}= {rng.choice(values)}"
        elif damage == 1:
            lines[index] = lines[index].replace("e", "3", 1)
        elif damage == 2:
            del lines[index]
        else:
            lines.insert(index, rng.choice([f"new_{index} = 1", "[[x]]", "[environments.b.c]"]))
    try:
        config = load_config(write(tmp_path, "\n".join(lines)))
    except ConfigErrors as error:
        assert all(problem.fault and "\n" not in str(problem) for problem in error.problems)
    else:
        assert config.default in config.environments
