"""Images from nothing: two Debian trees, imported, built upon, pushed to loopback."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from engines import Engine
from layout import SOURCE, Layout
from procs import StandError, run, say

IMAGES = SOURCE / "images"
KEY_LABEL = "stand.key"
# What a container of this stand never reads.
NEVER_READ = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/i18n/*",
    "/usr/share/javascript/moment-timezone/*",
    "/usr/lib/x86_64-linux-gnu/libLLVM*",
    "/usr/lib/x86_64-linux-gnu/libz3*",
    "/usr/lib/postgresql/15/lib/bitcode/*",
    "/usr/bin/amtool",
)
NO_CLUSTER = (
    'mkdir -p "$1/etc/postgresql-common" && '
    'echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.conf"'
)
BASES = {
    "fleet": "python3,curl,nginx-light",
    "data": "postgresql-15,redis-server,prometheus,prometheus-alertmanager,"
    "prometheus-node-exporter,prometheus-postgres-exporter,prometheus-redis-exporter",
}


@dataclass(frozen=True)
class Image:
    """One image: what it is called, what it is built from."""

    name: str
    tag: str
    folder: str
    target: str = ""
    arguments: tuple[tuple[str, str], ...] = ()


BACKENDS = {
    "good": "v1.2.3",
    "good2": "v1.3.0",
    "sick": "v1.3.1-sick",
    "slow": "v1.3.2-slow",
    "erring": "v1.3.3-erring",
    "oom": "v1.3.4-oom",
    "deaf": "v1.3.5-deaf",
}
DATA_TAGS = {
    "postgres": "15",
    "redis": "7.0",
    "prometheus": "2.42.0",
    "alertmanager": "0.25.0",
    "node-exporter": "1.5.0",
    "postgres-exporter": "0.11.1",
    "redis-exporter": "1.45.0",
}
EDGE = Image("edge", "1.22", "edge")


def backend(variant: str) -> Image:
    tag = BACKENDS[variant]
    mode = "good" if variant.startswith("good") else variant
    arguments = (("APP_VERSION", tag), ("STAND_MODE", mode))
    return Image("backend", tag, "backend", arguments=arguments)


def all_images() -> list[Image]:
    data = [Image(name, tag, "data", target=name) for name, tag in DATA_TAGS.items()]
    return [EDGE, *(backend(variant) for variant in BACKENDS), *data]


def own_mirror() -> str:
    """The Debian mirror this machine already uses, whatever it is."""
    wanted = "$(ORIGIN)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)"
    listed = run(["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"])
    for line in listed.splitlines():
        origin, codename, component, address = line.split("|", 3)
        if (origin, codename, component) == ("Debian", "bookworm", "main"):
            return address
    raise StandError("no Debian 12 source among the apt sources: run apt-get update")


def base_tarball(layout: Layout, base: str) -> Path:
    """A Debian tree with these packages, kept in the cache."""
    recipe = hashlib.sha256(f"{BASES[base]} {NEVER_READ} {NO_CLUSTER}".encode()).hexdigest()
    tarball = layout.cache / f"{base}-{recipe[:12]}.tar"
    if tarball.exists():
        return tarball
    say(f"making the base image of the {base}")
    fresh = tarball.with_suffix(f".{os.getpid()}.part.tar")
    excludes = [f"--dpkgopt=path-exclude={pattern}" for pattern in NEVER_READ]
    words = ["mmdebstrap", "--mode=root", "--variant=minbase", f"--include={BASES[base]}"]
    hook = f"--essential-hook={NO_CLUSTER}"
    try:
        run([*words, *excludes, hook, "bookworm", fresh, own_mirror()], timeout=400)
        fresh.replace(tarball)
    finally:
        fresh.unlink(missing_ok=True)
    return tarball


def import_base(engine: Engine, base: str) -> None:
    """Imports a base unless the engine has one of that recipe."""
    tarball = base_tarball(engine.layout, base)
    name, label = f"stand/{base}:12", f"LABEL {KEY_LABEL}={tarball.stem}"
    if label_of(engine, name) != tarball.stem:
        engine.docker("import", "--change", label, tarball, name, timeout=300)


def label_of(engine: Engine, image: str) -> str:
    form = f'{{{{index .Config.Labels "{KEY_LABEL}"}}}}'
    try:
        return engine.docker("image", "inspect", "--format", form, image).strip()
    except StandError:
        return ""


def build_all(engine: Engine) -> None:
    """Builds and pushes what is missing or was made from other files."""
    have = present(engine)
    wanted = {image: wanted_key(engine.layout, image) for image in all_images()}
    missing = [image for image, key in wanted.items() if have.get(full_name(engine, image)) != key]
    if not missing:
        return
    for base in BASES:
        import_base(engine, base)
    say(f"building and pushing {len(missing)} images")
    for image in missing:
        build(engine, image, wanted[image])
        engine.docker("push", "--quiet", full_name(engine, image), timeout=300)


def present(engine: Engine) -> dict[str, str]:
    """Name -> key of every image that the engine has and that was pushed."""
    names = [full_name(engine, image) for image in all_images()]
    listed = engine.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    here = [name for name in names if name in listed]
    if not here:
        return {}
    found = {}
    for record in json.loads(engine.docker("image", "inspect", *here)):
        labels = record["Config"].get("Labels") or {}
        for name in record["RepoTags"]:
            if record["RepoDigests"] and in_registry(engine.layout, name):
                found[name] = labels.get(KEY_LABEL, "")
    return found


def in_registry(layout: Layout, name: str) -> bool:
    repository, _, tag = name.removeprefix(f"{layout.registry}/").rpartition(":")
    manifests = layout.root / "registry/docker/registry/v2/repositories" / repository
    return (manifests / "_manifests/tags" / tag / "current/link").exists()


def full_name(engine: Engine, image: Image) -> str:
    return engine.layout.image(image.name, image.tag)


def wanted_key(layout: Layout, image: Image) -> str:
    """Changes when the base's recipe, a file of the folder or an argument does."""
    digest = hashlib.sha256(repr((image, BASES, NEVER_READ)).encode())
    for path in sorted((IMAGES / image.folder).iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def build(engine: Engine, image: Image, key: str) -> None:
    words = ["build", "--quiet", "--tag", full_name(engine, image)]
    words += ["--label", f"{KEY_LABEL}={key}"]
    words += [word for pair in image.arguments for word in ("--build-arg", "=".join(pair))]
    if image.target:
        words += ["--target", image.target]
    argv = engine.words(*words, IMAGES / image.folder)
    run(argv, timeout=180, env={"DOCKER_BUILDKIT": "0"})


def digests(engine: Engine) -> dict[str, dict[str, str]]:
    """full name -> {"digest": ..., "id": ...}"""
    names = [full_name(engine, image) for image in all_images()]
    found = {}
    for name, record in zip(
        names, json.loads(engine.docker("image", "inspect", *names)), strict=True
    ):
        repository = name.rpartition(":")[0]
        found[name] = {
            "digest": next(d for d in record["RepoDigests"] if d.startswith(f"{repository}@")),
            "id": record["Id"],
        }
    return found
