"""What goes wrong with the engine, in words and with the way to mend it.

docker-py, requests, urllib3 and sockets wrap each other's exceptions; what counts is the
innermost one that says something.
"""

import os
import pwd
import ssl
from collections.abc import Iterator
from typing import Final

from console.errors import FailureKind, LinkError
from console.links.engine.parts import text
from console.text import clean

_START: Final = "start it (`systemctl start docker`), or set engine.address"
_TLS: Final = "set engine.tls_ca, tls_cert and tls_key to the engine's own CA and your certificate"
_TCP: Final = "is engine.address the Docker API's own? see `docker -H ADDRESS version`"


def explain(error: BaseException, subject: str, *, doing: str = "") -> LinkError:
    """The LinkError for `error`. `doing` says what was asked: ``the list of containers``."""
    if isinstance(error, LinkError):
        return error
    chain = list(_chain(error))
    found = _of_system(chain) or _of_protocol(chain) or _of_client(chain)
    if found is None:
        words = clean(error, 300) or type(error).__name__
        found = (FailureKind.INVALID, f"{type(error).__name__}: {words}", _TCP)
    kind, why, remedy = found
    return LinkError(kind, subject, f"{doing}: {why}" if doing else why, remedy)


_Found = tuple[FailureKind, str, str]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and what it wraps: causes, contexts, reasons and arguments."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [current.__cause__, current.__context__, getattr(current, "reason", None)]
        waiting += [e for e in (*inner, *current.args) if isinstance(e, BaseException)]


def _of_system(chain: list[BaseException]) -> _Found | None:
    """Sockets, names, rights."""
    for error in chain:
        if isinstance(error, PermissionError):
            user = _user()
            remedy = (
                f"add the user to group docker (`sudo usermod -aG docker {user}`, then log in "
                "again), or use sudo"
            )
            return FailureKind.DENIED, f"user {user} has no rights to the socket", remedy
        if isinstance(error, FileNotFoundError):
            why = "there is no such socket: the engine does not run here, or listens elsewhere"
            return FailureKind.UNREACHABLE, why, _START
        if isinstance(error, ConnectionRefusedError):
            return FailureKind.UNREACHABLE, "connection refused: the engine does not run", _START
        if isinstance(error, ConnectionAbortedError):
            return FailureKind.UNREACHABLE, "the read was cancelled", "it is read again by itself"
        if isinstance(error, ssl.SSLError):
            why = f"TLS failed: {clean(error.reason or error, 200)}"
            if isinstance(error, ssl.SSLCertVerificationError):
                why = f"the engine's certificate is refused: {clean(error.verify_message, 200)}"
            return FailureKind.INVALID, why, _TLS
        if type(error).__name__ in ("NameResolutionError", "gaierror"):
            return FailureKind.UNREACHABLE, "its host's name is not known", "check engine.address"
        if isinstance(error, ConnectionResetError | BrokenPipeError):
            why = "the connection broke off: the engine stopped, or it expects TLS"
            return FailureKind.UNREACHABLE, why, f"{_START}; for TLS {_TLS}"
    return None


def _of_protocol(chain: list[BaseException]) -> _Found | None:
    """requests and urllib3, by name so that nothing is loaded for it."""
    names = {type(error).__name__ for error in chain}
    if names & {"ReadTimeout", "ReadTimeoutError", "ConnectTimeout", "ConnectTimeoutError"} or any(
        isinstance(error, TimeoutError) for error in chain
    ):
        why = "no answer in time"
        return FailureKind.TIMEOUT, why, "see `docker info` there; a hung engine needs a restart"
    if "JSONDecodeError" in names:
        return FailureKind.INVALID, f"answered {_not_json(chain)}, not JSON", _TCP
    if names & {"RemoteDisconnected", "BadStatusLine", "LineTooLong"}:
        why = "it closed the connection without an HTTP answer"
        return FailureKind.UNREACHABLE, why, f"{_START}; {_TCP}"
    if names & {"IncompleteRead", "ChunkedEncodingError", "InvalidChunkLength", "ProtocolError"}:
        why = "the answer broke off in the middle"
        return FailureKind.INVALID, why, "it is read again; see the engine's own log if it stays"
    for error in chain:
        if isinstance(error, OSError) and error.strerror:
            return FailureKind.UNREACHABLE, clean(error.strerror, 200), _START
    return None


def _not_json(chain: list[BaseException]) -> str:
    documents = [getattr(error, "doc", "") for error in chain]
    document = next((doc for doc in documents if isinstance(doc, str) and doc.strip()), "")
    if document.lstrip()[:1] == "<":
        return "HTML"
    return "text" if document else "nothing"


def _of_client(chain: list[BaseException]) -> _Found | None:
    """docker-py's own: an HTTP status, or TLS files that are not there."""
    for error in chain:
        if type(error).__name__ == "TLSParameterError":
            return FailureKind.INVALID, clean(str(error).partition(" TLS")[0], 200), _TLS
        if type(error).__name__ == "InvalidConfigFile":
            why = f"Docker's own configuration cannot be read: {clean(error, 200)}"
            return FailureKind.INVALID, why, "mend config.json in ~/.docker or DOCKER_CONFIG"
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        if isinstance(status, int):
            return of_status(status, text(getattr(error, "explanation", "") or "", 300))
    return None


def of_status(status: int, words: str) -> tuple[FailureKind, str, str]:
    """Kind, cause and remedy of an HTTP status; `words` are the engine's own."""
    said = f"HTTP {status}" + (f": {words}" if words and not words.startswith("<") else "")
    if status in (401, 403):
        return FailureKind.DENIED, said, "this user or proxy may not read the Docker API"
    if status == 404:
        return FailureKind.MISSING, said, "it may just have been removed; it is read again"
    if "HTTP request to an HTTPS server" in words:
        return FailureKind.INVALID, "it expects TLS", _TLS
    if "swarm" in words.lower():
        remedy = "see `docker node ls` on the managers; a lost quorum must be restored there"
        return FailureKind.UNREACHABLE, said, remedy
    if status >= 500:
        return FailureKind.INVALID, said, "see the engine's own log (`journalctl -u docker`)"
    return FailureKind.INVALID, said, _TCP


def _user() -> str:
    try:
        return clean(pwd.getpwuid(os.geteuid()).pw_name)
    except KeyError:
        return f"{os.geteuid()}"
