"""One `httpx.AsyncClient` per provider, with the limits that the operator set."""

from dataclasses import dataclass
from importlib.util import find_spec

import httpx
import structlog

CONNECT_TIMEOUT = 10.0
WRITE_TIMEOUT = 10.0
POOL_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How many connections a client may hold; the seconds are how long an idle one is kept."""

    max_connections: int
    max_keepalive: int
    keepalive_expiry: float = 60.0


def http2_available() -> bool:
    """Whether the `h2` package can be imported; if not, warn and say what helps. Call once, at start."""
    if find_spec("h2") is not None:
        return True
    log = structlog.get_logger("discordianai.transport")
    log.warning("HTTP/2 not available, using HTTP/1.1; pip install 'httpx[http2]' 'h2>=4.3' enables it")
    return False


def build_client(name: str, pool: PoolOptions, read_timeout: float, *, http2: bool) -> httpx.AsyncClient:
    """Make the client called `name`, to be opened by the caller; `read_timeout` is in seconds."""
    log = structlog.get_logger("discordianai.transport").bind(client=name)
    if http2:
        log.info("HTTP/2 enabled")
    log.debug(
        "connection pool created",
        max_connections=pool.max_connections,
        max_keepalive=pool.max_keepalive,
        keepalive_expiry=pool.keepalive_expiry,
        http2=http2,
    )
    return httpx.AsyncClient(
        http2=http2,
        limits=httpx.Limits(
            max_connections=pool.max_connections,
            max_keepalive_connections=pool.max_keepalive,
            keepalive_expiry=pool.keepalive_expiry,
        ),
        timeout=httpx.Timeout(
            connect=CONNECT_TIMEOUT, write=WRITE_TIMEOUT, pool=POOL_TIMEOUT, read=read_timeout
        ),
    )
