"""Secrets, fetched at the moment a link needs them. No message ever holds a value."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from console.config import dotenv
from console.config.environment import HERE, SecretRef
from console.config.files import read_regular
from console.errors import FailureKind, LinkError
from console.secret import Secret
from console.text import clean

SIZE_LIMIT: Final = 64 << 10
"""Bytes of a secret's file, or of what a command may say."""

COMMAND_LIMIT: Final = 10.0
"""Seconds that a command may take."""

RemoteFile = Callable[[str, Path], bytes]
"""Reads a file of the host with this name; raises LinkError."""


def resolve_secret(
    ref: SecretRef,
    environ: Mapping[str, str],
    remote: RemoteFile | None = None,
    limit: float = COMMAND_LIMIT,
) -> Secret:
    """The secret that `ref` refers to.

    `remote` reads env files of other hosts; `limit` is in seconds, for a command. Raises
    LinkError, which says what to do and holds nothing of the secret.
    """
    if ref.env is not None:
        subject = f"secret of the environment variable {clean(ref.env)}"
        value = environ.get(ref.env)
        if value is None:
            raise LinkError(FailureKind.MISSING, subject, "it is not set", f"export {ref.env}")
    elif ref.file is not None:
        subject = f"secret in {clean(ref.file)}"
        value = _text(_file(ref.file, subject), subject)
    elif ref.command is not None:
        subject = f"secret given by the command {clean(ref.command[0])}"
        value = _text(_output(ref.command, environ, subject, limit), subject)
    elif ref.env_file is not None:
        return _from_env_file(ref, remote)
    else:
        raise ValueError("a SecretRef without a source")
    return _checked(value, subject)


def _from_env_file(ref: SecretRef, remote: RemoteFile | None) -> Secret:
    path = ref.env_file or Path()
    place = "" if ref.host == HERE else f" on {clean(ref.host)}"
    subject = f"secret {clean(ref.key)} in {clean(path)}{place}"
    if ref.host == HERE:
        data = _file(path, subject)
    elif remote is None:
        raise LinkError(
            FailureKind.UNSUPPORTED,
            subject,
            "it lies on another host, which is not connected",
            "name the host under hosts, or give the secret by env, file or command",
        )
    else:
        data = remote(ref.host, path)
    value = dotenv.parse(_text(data, subject)).get(ref.key)
    if value is None:
        why = "the file does not define it"
        raise LinkError(FailureKind.MISSING, subject, why, "define it there, or correct `key`")
    return _checked(value, subject)


def _checked(value: str, subject: str) -> Secret:
    if not value:
        raise LinkError(FailureKind.INVALID, subject, "it is empty", "put the secret there")
    if any(character in value for character in "\0\r\n"):
        why = "it runs over more than one line"
        raise LinkError(FailureKind.INVALID, subject, why, "leave only the secret there")
    return Secret(value)


def _text(data: bytes, subject: str) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # `from None`: the original holds the bytes.
        raise LinkError(
            FailureKind.INVALID, subject, "it is no UTF-8 text", "save it as UTF-8"
        ) from None
    return text.removesuffix("\n").removesuffix("\r")


def _file(path: Path, subject: str) -> bytes:
    try:
        data, _ = read_regular(path, SIZE_LIMIT)
    except FileNotFoundError:
        why = "there is no such file"
        raise LinkError(FailureKind.MISSING, subject, why, "make it (0600)") from None
    except ValueError as error:
        raise LinkError(FailureKind.INVALID, subject, f"it {error}", "name a file") from None
    except OSError as error:
        why = (error.strerror or "it cannot be read").lower()
        remedy = f"let this user read it: ls -l {clean(path)}"
        raise LinkError(FailureKind.DENIED, subject, why, remedy) from None
    if len(data) > SIZE_LIMIT:
        raise _too_large(subject)
    return data


def _output(argv: tuple[str, ...], environ: Mapping[str, str], subject: str, limit: float) -> bytes:
    """What the command says on its standard output. Its other output is dropped unread."""
    remedy = f"run it by hand: {clean(' '.join(argv[:1]))}"
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environ),
            start_new_session=True,
        )
    except OSError as error:
        why = (error.strerror or "it cannot be started").lower()
        raise LinkError(FailureKind.MISSING, subject, why, "correct `command`") from None
    with process:
        try:
            data = _bounded(process, subject, remedy, limit)
        except BaseException:
            # Not yet reaped, so the group is still its own.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        why = f"it ended with exit code {process.returncode}"
        raise LinkError(FailureKind.DENIED, subject, why, remedy)
    return data


def _bounded(process: subprocess.Popen[bytes], subject: str, remedy: str, limit: float) -> bytes:
    stdout = process.stdout
    if stdout is None:
        raise ValueError("the process has no pipe")
    until = time.monotonic() + limit
    data = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while len(data) <= SIZE_LIMIT:
            if not selector.select(max(0.0, until - time.monotonic())):
                why = f"no answer in {limit:g} s"
                raise LinkError(FailureKind.TIMEOUT, subject, why, remedy)
            piece = os.read(stdout.fileno(), 65536)
            if not piece:
                break
            data += piece
    if len(data) > SIZE_LIMIT:
        raise _too_large(subject)
    try:
        process.wait(max(0.1, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise LinkError(
            FailureKind.TIMEOUT, subject, f"it did not end in {limit:g} s", remedy
        ) from None
    return data


def _too_large(subject: str) -> LinkError:
    why = f"it is larger than {SIZE_LIMIT >> 10} KiB"
    return LinkError(FailureKind.INVALID, subject, why, "leave only the secret there")
