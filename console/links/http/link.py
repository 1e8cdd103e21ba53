"""What the links over one HTTP source share: its name, its clock, its end."""

from typing import ClassVar

from console.clock import Clock
from console.config.environment import HttpConfig
from console.links.http.source import HttpSource, ResolveSecret
from console.links.protocols import HostLink


class HttpLink:
    """A link over an HttpSource; each subclass says what its `read` asks."""

    NAME: ClassVar[str]
    """Name of the source of Readings."""
    SYSTEM: ClassVar[str]
    """Name of the system that is asked, for messages."""

    def __init__(
        self,
        config: HttpConfig,
        host: HostLink | None,
        clock: Clock,
        resolve_secret: ResolveSecret,
    ) -> None:
        """`host`: from where it is asked; None for this machine."""
        self._source = HttpSource(self.SYSTEM, config, host, resolve_secret)
        self._clock = clock
        self._skew: float | None = None

    @property
    def name(self) -> str:
        """Name of the source."""
        return self.NAME

    def load(self) -> None:
        """Load httpx (35 ms)."""
        import console.links.http.client  # noqa: F401

    def skew(self) -> float | None:
        """How far its clock was ahead at the last read, in seconds."""
        return self._skew

    def cancel(self) -> None:
        """Shut the sockets in use."""
        self._source.cancel()

    def close(self) -> None:
        """Cancel, and give everything back."""
        self._source.close()
