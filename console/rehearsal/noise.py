"""Plausible irregularity that is a pure function of a seed, a name and the time."""

from hashlib import blake2b
from math import floor


def unit(seed: int, name: str, index: int = 0) -> float:
    """A number in 0..1 that looks random; the same arguments always give the same one."""
    digest = blake2b(f"{seed}:{name}:{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def drift(seed: int, name: str, at: float, period: float) -> float:
    """A smooth wander in -1..1 with a new direction every `period` seconds."""
    place = at / period
    index = floor(place)
    part = place - index
    part = part * part * (3 - 2 * part)
    before, after = unit(seed, name, index), unit(seed, name, index + 1)
    return 2 * (before + (after - before) * part) - 1


def identity(seed: int, name: str, length: int = 64) -> str:
    """Hexadecimal digits like those of a container id or a digest."""
    digest = blake2b(f"{seed}:{name}".encode(), digest_size=32).hexdigest()
    return digest[:length]
