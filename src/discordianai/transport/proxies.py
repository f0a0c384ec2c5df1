"""The environment's proxies, which httpx leaves out of account for a client that is given a transport."""

import ipaddress
from urllib.request import getproxies

import httpx

Mounts = dict[str, httpx.AsyncBaseTransport | None]


def environment_mounts(limits: httpx.Limits) -> Mounts:
    """For `httpx.AsyncClient(mounts=...)`: what HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY ask for.

    Through a proxy it is HTTP/1.1, over httpx's own transport. What is mounted as None goes to the client's
    transport. Raises `ValueError` where a proxy's address is none.
    """
    proxies = getproxies()
    exempt = [entry.strip() for entry in proxies.pop("no", "").split(",") if entry.strip()]
    mounts: Mounts = {}
    if "*" in exempt:
        return mounts
    for scheme in ("http", "https", "all"):
        if address := proxies.get(scheme):
            proxy = httpx.Proxy(address if "://" in address else f"http://{address}")
            mounts[f"{scheme}://"] = httpx.AsyncHTTPTransport(proxy=proxy, limits=limits)
    if mounts:
        mounts.update(dict.fromkeys(map(_pattern, exempt), None))
    return mounts


def _pattern(entry: str) -> str:
    """An entry of NO_PROXY as httpx writes it: a name covers the names under it, an address itself."""
    if "://" in entry:
        return entry
    host = entry.removeprefix(".")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return f"all://{host}" if host == "localhost" else f"all://*{host}"
    return f"all://[{address}]" if address.version == 6 else f"all://{address}"
