"""Which requests go through a proxy, according to HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY.

A proxy is `http://` or `https://`, with a user name and a password if it requires them. NO_PROXY lists hosts
that are reached directly, separated by commas or spaces:

    *                                everybody
    example.com  .example.com        this host and those under it; `*.example.com` is the same
    192.0.2.7  2001:db8::7           an address; `[2001:db8::7]` is the same
    10.0.0.0/8  fe80::/10            a network
    example.com:8443                 a host or an address, on one port only

Addresses and networks match addresses in URLs only: no name is looked up. A non-ASCII name may be written in
Unicode or in its IDNA form.
"""

import ipaddress
import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Self
from urllib.request import getproxies

import httpx

PORTS = {"http": 80, "https": 443}
MAX_SHOWN = 40
"""Characters of an entry that an error message repeats."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})*")
_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")
"""A name that ends in a number is an IPv4 address, or a mistyped one."""


class ProxyError(ValueError):
    """The environment's proxies cannot be used; `problems` has a sentence for each mistake.

    None of them holds a password.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy. `str` gives its URL, without user name and password."""

    scheme: str
    host: str
    port: int
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def authorization(self) -> bytes | None:
        """The value of Proxy-Authorization."""
        if self.credentials is None:
            return None
        return b"Basic " + b64encode(":".join(self.credentials).encode())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a URL; the default scheme is http. Raises `ValueError`, without the password."""
        try:
            url = httpx.URL(text if "://" in text else f"http://{text}")
        except httpx.InvalidURL:
            raise ValueError("is no address of a proxy, like http://host:port") from None
        if url.scheme not in PORTS:
            raise ValueError(f"{_short(url.scheme)}:// is not supported: only http:// and https:// are")
        host = _name(url.host) if _address(url.host) is None else url.host
        port = PORTS[url.scheme] if url.port is None else url.port
        if host is None or not 0 < port < 65_536:
            raise ValueError("is no address of a proxy, like http://host:port")
        credentials = (url.username, url.password) if url.userinfo else None
        return cls(url.scheme, host, port, credentials)


@dataclass(frozen=True, slots=True)
class Exemption:
    """An entry of NO_PROXY: a host and its subdomains, or a network; on one port, or on all."""

    name: str | None = None
    network: Network | None = None
    port: int | None = None

    def covers(self, host: str, address: Address | None, port: int) -> bool:
        """Whether it covers `host`; `address` is the same if it is an address."""
        if self.port not in {None, port}:
            return False
        if self.network is not None:
            return address is not None and address in self.network
        return self.name is None or host == self.name or host.endswith(f".{self.name}")

    @classmethod
    def parse(cls, entry: str) -> Self:
        """See the module. Raises `ValueError`."""
        if entry == "*":
            return cls()
        if "/" in entry:
            return cls(network=_network(entry))
        host, port = _without_port(entry)
        if (address := _address(host)) is not None:
            return cls(network=ipaddress.ip_network(address), port=port)
        name = _name(host.removeprefix("*").removeprefix("."))
        if name is None:
            raise ValueError("is no host, address, network or *")
        return cls(name, port=port)


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies for http and for https, and the hosts that are reached without."""

    http: Proxy | None = None
    https: Proxy | None = None
    exemptions: tuple[Exemption, ...] = ()

    def choose(self, scheme: str, host: str, port: int | None) -> Proxy | None:
        """The proxy for a host, as written in a URL; None for a direct connection."""
        proxy = self.https if scheme == "https" else self.http
        if proxy is None:
            return None
        host = host.lower().removesuffix(".")
        address, port = _address(host), port or PORTS.get(scheme, 0)
        return None if any(e.covers(host, address, port) for e in self.exemptions) else proxy

    @classmethod
    def of_environment(cls) -> Self:
        """Those of the environment variables. Raises `ProxyError`."""
        variables = getproxies()
        proxies: dict[str, Proxy | None] = {}
        problems = []
        for scheme in ("http", "https", "all"):
            text = variables.get(scheme, "").strip()
            try:
                proxies[scheme] = Proxy.parse(text) if text else None
            except ValueError as error:
                problems.append(f"{scheme.upper()}_PROXY: {error}")
        exemptions = []
        if any(proxies.values()) or problems:
            for entry in re.split(r"[,\s]+", variables.get("no", "")):
                try:
                    if entry:
                        exemptions.append(Exemption.parse(entry))
                except ValueError as error:
                    problems.append(f"NO_PROXY: {_short(entry)!r} {error}")
        if problems:
            raise ProxyError(*problems)
        every = proxies["all"]
        return cls(proxies["http"] or every, proxies["https"] or every, tuple(exemptions))


def _address(host: str) -> Address | None:
    """Parse an address, with or without brackets; an IPv4-mapped one becomes IPv4. None if it is none."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


def _network(entry: str) -> Network:
    try:
        return ipaddress.ip_network(entry, strict=False)  # 10.1.2.3/8 is meant as 10.0.0.0/8
    except ValueError:
        raise ValueError("is no network like 10.0.0.0/8 or fe80::/10") from None


def _without_port(entry: str) -> tuple[str, int | None]:
    """Host and port; colons inside an IPv6 address do not count. Raises `ValueError`."""
    host, colon, digits = entry.rpartition(":")
    if not colon or _address(entry) is not None:
        return entry, None
    if not re.fullmatch("[0-9]{1,5}", digits) or not 0 < int(digits) < 65_536:
        raise ValueError("has no port from 1 to 65535 behind its colon")
    return host, int(digits)


def _name(host: str) -> str | None:
    """A host name in its IDNA form; None if it is not valid."""
    try:
        name = httpx.URL(scheme="http", host=host).raw_host.decode("ascii").removesuffix(".")
    except httpx.InvalidURL:
        return None
    return name if _NAME.fullmatch(name) and not _NUMBER.fullmatch(name) else None


def _short(text: str) -> str:
    """An entry as an error message may show it: without anything that may be a password."""
    text = text.rpartition("@")[2]
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"
