"""One `httpx.AsyncClient` per provider, on a pool of its own, with the operator's limits."""

from dataclasses import asdict, dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.util import find_spec

import httpx
import structlog
from structlog.typing import FilteringBoundLogger

from discordianai.transport.multiplexed_transport import MultiplexedTransport
from discordianai.transport.options import PoolOptions
from discordianai.transport.pool_events import FellBackToHttp1, PoolEvent, Statistics
from discordianai.transport.proxy_rules import Proxies

CONNECT_TIMEOUT = 10.0
WRITE_TIMEOUT = 10.0
POOL_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class PooledClient:
    """A client, which the caller opens and closes, and its pool."""

    http: httpx.AsyncClient
    transport: MultiplexedTransport

    def reconfigure(self, options: PoolOptions) -> None:
        """Apply these limits; requests in flight go on."""
        self.transport.reconfigure(options)

    def statistics(self) -> Statistics:
        """The current figures of the pool."""
        return self.transport.statistics()


def http2_available() -> bool:
    """Whether the `h2` package is installed; if not, log a warning. Call once, at start."""
    if find_spec("h2") is not None:
        return True
    log = structlog.get_logger("discordianai.transport.clients")
    log.warning("HTTP/2 not available, using HTTP/1.1; pip install 'httpx[http2]' 'h2>=4.3' enables it")
    return False


def build_client(
    name: str, options: PoolOptions, read_timeout: float, *, http2: bool, user_agent: str = ""
) -> PooledClient:
    """Make the client called `name`; `read_timeout` is in seconds. Its `user_agent` is httpx's without one.

    It uses the proxies of the environment and keeps no cookies. Raises `ProxyError`.
    """
    log = structlog.get_logger("discordianai.transport.clients").bind(client=name)
    timeout = httpx.Timeout(
        connect=CONNECT_TIMEOUT, write=WRITE_TIMEOUT, pool=POOL_TIMEOUT, read=read_timeout
    )
    log.debug("connection pool created", **asdict(options), http2=http2)
    if http2:
        log.info("HTTP/2 enabled")
    transport = MultiplexedTransport(
        **asdict(options), proxies=Proxies.of_environment(), http2=http2, on_event=_ConnectionLog(log)
    )
    no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
    return PooledClient(
        httpx.AsyncClient(
            transport=transport,
            timeout=timeout,
            cookies=no_cookies,
            headers={"User-Agent": user_agent} if user_agent else {},
        ),
        transport,
    )


class _ConnectionLog:
    """Logs the events of a client's pool."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        self._log = log

    def __call__(self, event: PoolEvent) -> None:
        if isinstance(event, FellBackToHttp1):
            self._log.info("HTTP/1.1 in use: the server does not offer HTTP/2", origin=str(event.origin))
            return
        figures = asdict(event) | {"origin": str(event.origin)}
        self._log.debug(_words(type(event).__name__), **figures)


def _words(name: str) -> str:
    """`ConnectionOpened` as "connection opened"."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
