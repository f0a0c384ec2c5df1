"""The operator's port under people who want something of it: nothing is to be had there but figures."""

import socket
from contextlib import ExitStack

import trio

from tests.operations.builders import well
from tests.operations.test_http_server import ADDRESSES, served

OFFERS = ("TRACE", "OPTIONS", "PROPFIND", "DELETE", "PATCH", "CONNECT")
PATHS = (
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/static/../settings.toml",
    "/.env",
)


async def test_hundreds_of_half_open_requests_keep_nobody_from_the_figures() -> None:
    """Each has sent half of its head, and says no more."""
    async with served() as (client, pages):
        pages.shows(well)
        with ExitStack() as held, trio.fail_after(20):
            for _ in range(300):
                half = held.enter_context(socket.create_connection(("127.0.0.1", client.base_url.port or 0)))
                half.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-")
            assert (await client.get("/health/ready")).status_code == 200


async def test_no_path_or_method_leads_out_of_the_pages() -> None:
    async with served() as (client, pages):
        pages.shows(well)
        for path in PATHS:
            assert (await client.get(path)).status_code == 404, path
        for method in OFFERS:
            for address in ADDRESSES:
                status = (await client.request(method, address)).status_code
                assert status in {400, 404, 405}, (method, address)


async def test_a_head_without_end_is_refused() -> None:
    """With many headers, and with a long one; others are answered meanwhile."""
    async with served() as (client, pages):
        pages.shows(well)
        port = client.base_url.port or 0
        for lines in (
            b"x-long: " + b"x" * 200_000 + b"\r\n",
            b"".join(b"x-%d: x\r\n" % n for n in range(20_000)),
        ):
            status = await trio.to_thread.run_sync(status_of, port, b"Host: 127.0.0.1\r\n" + lines)
            assert status in {b"400", b"431"}
        assert (await client.get("/health/ready")).status_code == 200


def status_of(port: int, headers: bytes) -> bytes:
    """What a request with these headers is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\n" + headers + b"\r\n")
        return connection.recv(12)[9:]
