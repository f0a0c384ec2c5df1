"""From a name to a connection."""

import socket

import httpx
import pytest
import trio
from anyio.abc import SocketAttribute

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import open_server
from discordianai.transport import MultiplexedTransport
from discordianai.transport.dialing import MAX_UNSENT, TlsDial
from discordianai.transport.pool_events import Origin
from tests.transport.builders import echo

DEAF = "192.0.2.1"
"""An address for documentation: nobody answers, or the way to it is refused."""


class Resolver(trio.abc.HostnameResolver):
    """Knows one name, with the addresses that it is given."""

    def __init__(self, *addresses: tuple[str, int]) -> None:
        self._addresses = addresses

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):  # type: ignore[no-untyped-def]  # noqa: A002  # the socket module's own
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)
            for address in self._addresses
        ]

    async def getnameinfo(self, sockaddr, flags):  # type: ignore[no-untyped-def]  # socket's own signature
        raise NotImplementedError


async def test_two_addresses_of_a_host_are_raced(authority: Authority) -> None:
    """The first one does not answer: the second is asked long before the connect timeout (RFC 8305)."""
    deaf = trio.socket.socket()
    await deaf.bind(("127.0.0.2", 0))
    deaf.listen(0)
    full = [trio.socket.socket() for _ in range(3)]
    async with open_server(echo, authority=authority) as server:
        for one in full:
            with trio.move_on_after(0.05):
                await one.connect(deaf.getsockname())
        trio.socket.set_custom_hostname_resolver(
            Resolver(("127.0.0.2", deaf.getsockname()[1]), ("127.0.0.1", server.port))
        )
        transport = MultiplexedTransport(ssl_context=authority.client_context())
        async with httpx.AsyncClient(transport=transport, timeout=httpx.Timeout(5, connect=3)) as client:
            began = trio.current_time()
            assert (await client.get(f"https://localhost:{server.port}/")).status_code == 200
            assert trio.current_time() - began < 2
    for one in (deaf, *full):
        one.close()


async def test_the_system_keeps_little_that_it_cannot_send_yet(authority: Authority) -> None:
    """So that a PING does not wait behind an upload in the socket's own queue."""
    if not hasattr(socket, "TCP_NOTSENT_LOWAT"):
        pytest.skip("this system has no TCP_NOTSENT_LOWAT")
    async with open_server(echo, authority=authority) as server:
        stream, protocol = await TlsDial(authority.client_context())(Origin("127.0.0.1", server.port))
        async with stream:
            raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610  # not Django's
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == MAX_UNSENT
            assert protocol == "h2"
