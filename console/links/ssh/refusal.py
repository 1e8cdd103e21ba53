"""Why a server could not be reached from a host, and what to do about it. Pure."""

from typing import Final

from console.errors import FailureKind, LinkError
from console.links.protocols import TcpAddress, UnixAddress
from console.links.ssh.call import PROHIBITED, ChannelRefusedError
from console.text import clean

PROBE: Final = rb"""if [ ! -e "$1" ]; then echo missing
elif [ ! -S "$1" ]; then echo other
elif [ ! -w "$1" ]; then echo denied
elif grep -q -F -e " $(readlink -f "$1")" /proc/net/unix; then echo listening
else echo silent; fi
exit 0
"""
"""Asks a host about the socket that is its argument, as sshd does not say why."""


def not_reached(
    address: TcpAddress | UnixAddress, refusal: ChannelRefusedError, subject: str, said: str
) -> LinkError:
    """The error for an `address` refused by the host; `said` is what PROBE printed."""
    if isinstance(address, TcpAddress):
        return _no_tcp(address, refusal, subject)
    path = clean(address.path, 200)
    match said:
        case "missing":
            return LinkError(
                FailureKind.MISSING,
                subject,
                f"there is no {path} on the host",
                "check that the service runs there, and where its socket is",
            )
        case "other":
            return LinkError(
                FailureKind.INVALID,
                subject,
                f"{path} is no socket on the host",
                "check where the service's socket is",
            )
        case "denied":
            return LinkError(
                FailureKind.DENIED,
                subject,
                f"the account may not use {path} on the host",
                f"see its owner there: ls -l {path}; for Docker: usermod -aG docker USER,"
                " then log in anew",
            )
        case "silent":
            return LinkError(
                FailureKind.UNREACHABLE,
                subject,
                f"nothing listens on {path} on the host",
                "start the service there",
            )
        case _:
            return LinkError(
                FailureKind.DENIED,
                subject,
                f"sshd refuses a tunnel to {path} ({clean(refusal, 120) or 'no reason given'})",
                "allow AllowStreamLocalForwarding (and not DisableForwarding) in its sshd_config",
            )


def _no_tcp(address: TcpAddress, refusal: ChannelRefusedError, subject: str) -> LinkError:
    where = f"{address.host}:{address.port}"
    words = clean(refusal, 120) or "no reason given"
    if refusal.code == PROHIBITED:
        return LinkError(
            FailureKind.DENIED,
            subject,
            f"sshd refuses a tunnel to {where} ({words})",
            "allow AllowTcpForwarding and PermitOpen (and not DisableForwarding) in sshd_config",
        )
    return LinkError(
        FailureKind.UNREACHABLE,
        subject,
        f"{where} cannot be reached from the host ({words})",
        "check there that the service runs and listens on this address: ss -ltn",
    )
