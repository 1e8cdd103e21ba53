"""The edges as probes see them. Pure."""

from typing import Final

from console.model.edges import Certificate, EdgeReport, Probe
from console.rehearsal.effects import CertificateEnds
from console.rehearsal.stack import DAY, DOMAIN
from console.rehearsal.traffic import serving
from console.rehearsal.world import World

EDGES: Final = ("nginx-1", "nginx-2")
URL: Final = f"https://{DOMAIN}"
HEALTH: Final = "/health"
VALIDITY: Final = 90 * DAY
_RENEWED_EVERY: Final = 60 * DAY
_FIRST_AGE: Final = 29 * DAY
"""How old the certificate is when a world starts."""


def report(world: World, name: str, vantage: str) -> EdgeReport:
    """What a probe of edge `name` finds."""
    took = 0.019 + 0.006 * world.drift(f"probe {name}", 30.0)
    answered = bool(serving(world))
    return EdgeReport(
        name=name,
        url=URL,
        vantage=vantage,
        health=Probe(
            f"{URL}{HEALTH}", world.at, took if answered else 0.004, 200 if answered else 502
        ),
        redirect=Probe(
            f"http://{DOMAIN}{HEALTH}", world.at, 0.003, 301, f"{URL}{HEALTH}"
        ),
        certificate=certificate(world),
    )  # fmt: skip


def certificate(world: World) -> Certificate:
    """The certificate as served by every edge."""
    first = world.header.started_at - _FIRST_AGE
    issued = first + (world.at - first) // _RENEWED_EVERY * _RENEWED_EVERY
    for trouble, effect in world.known(CertificateEnds):
        if trouble.healed(world.at):
            issued = max(issued, trouble.healed_at or issued)
        else:
            issued = trouble.began + effect.left - VALIDITY
    return Certificate(
        subject=DOMAIN,
        issuer="R11, Let's Encrypt",
        names=(DOMAIN, "shop.example"),
        not_before=issued,
        not_after=issued + VALIDITY,
    )
