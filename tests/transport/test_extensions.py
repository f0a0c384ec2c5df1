"""The extensions of httpx that a request can bear: `trace` and `sni_hostname`."""

from collections.abc import Iterator

import anyio
import anyio.lowlevel
import httpx
import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerOptions
from discordianai.transport import MultiplexedTransport
from discordianai.transport.proxy_rules import Proxies, Proxy
from tests.transport.backends import on_both, server_beside
from tests.transport.builders import TIMEOUT, patient
from tests.transport.connect_proxy import ConnectProxy, open_proxy

CONNECT = ["connection.connect_tcp", "connection.start_tls"]
REQUEST = [
    "http2.send_request_headers",
    "http2.send_request_body",
    "http2.receive_response_headers",
    "http2.receive_response_body",
    "http2.response_closed",
]
OF_A_CONNECTION = ("http2.send_connection_init", "http2.receive_remote_settings")


def steps(*names: str) -> list[str]:
    return [f"{name}.{when}" for name in names for when in ("started", "complete")]


class Tracer:
    """Notes all that it is told."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.told: dict[str, dict[str, object]] = {}

    async def __call__(self, name: str, info: dict[str, object]) -> None:
        assert isinstance(info, dict)
        await anyio.lowlevel.checkpoint()
        self.names.append(name)
        self.told[name] = info


async def until_awaited(tracer: Tracer) -> None:
    """Wait until its request is sent and the server thinks."""
    with anyio.fail_after(TIMEOUT.read):
        while tracer.names[-1:] != ["http2.receive_response_headers.started"]:  # noqa: ASYNC110  # a list
            await anyio.sleep(0.005)


@pytest.fixture
def url(authority: Authority) -> Iterator[str]:
    with server_beside(authority, patient) as url:
        yield url


def ours(authority: Authority, **options: object) -> httpx.AsyncClient:
    transport = MultiplexedTransport(ssl_context=authority.client_context(), **options)  # type: ignore[arg-type]  # by name
    return httpx.AsyncClient(transport=transport, timeout=TIMEOUT)


@on_both
async def test_a_request_is_traced_as_httpcore_traces_it(authority: Authority, url: str) -> None:
    """The same names in the same order, for the first request and for one on a connection that is open.

    But for the connection's preface and settings, which are no request's own here.
    """
    traces = []
    for client in (
        ours(authority),
        httpx.AsyncClient(http2=True, verify=authority.client_context(), timeout=TIMEOUT),
    ):
        async with client:
            for _ in range(2):
                tracer = Tracer()
                response = await client.post(url, content=b"hello", extensions={"trace": tracer})
                assert response.content == b"hello"
                traces.append([name for name in tracer.names if not name.startswith(OF_A_CONNECTION)])
    assert traces[:2] == traces[2:]
    assert traces[0] == steps(*CONNECT, *REQUEST)
    assert traces[1] == steps(*REQUEST)


@on_both
async def test_a_tracer_is_told_what_httpcore_tells(authority: Authority, url: str) -> None:
    """The request, the status, the headers, where the connection leads."""
    tracer = Tracer()
    async with ours(authority) as client:
        await client.get(f"{url}/path", extensions={"trace": tracer})
    told = tracer.told
    assert told["connection.connect_tcp.started"]["host"] == "127.0.0.1"
    assert told["connection.start_tls.started"]["server_hostname"] == "127.0.0.1"
    request = told["http2.send_request_headers.started"]["request"]
    assert isinstance(request, httpx.Request)
    returned = told["http2.receive_response_headers.complete"]["return_value"]
    assert isinstance(returned, tuple)
    assert returned[0] == 200
    assert (b"x-path", b"/path") in returned[1]
    assert told["http2.response_closed.started"]["stream_id"] == 1


@on_both
async def test_events_come_when_they_happen(authority: Authority, url: str) -> None:
    """While the server thinks, it is known that the request was sent."""
    tracer = Tracer()
    async with ours(authority) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.get(f"{url}/silent", extensions={"trace": tracer}))
        await until_awaited(tracer)
        tasks.cancel_scope.cancel()


@on_both
async def test_a_request_on_its_way_hears_nothing_of_other_connections(
    authority: Authority, url: str
) -> None:
    """Only who waits for a connection is told how it is opened."""
    tracer = Tracer()
    async with ours(authority, streams_per_connection=1) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.get(f"{url}/slow", extensions={"trace": tracer}))
        await until_awaited(tracer)
        await client.get(url)
    assert tracer.names == steps(*CONNECT, *REQUEST)


@on_both
async def test_what_fails_is_told_with_its_exception(authority: Authority, url: str) -> None:
    """A connection that is not made, and a response that does not come."""
    tracer = Tracer()
    async with ours(authority) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("https://127.0.0.1:1/", extensions={"trace": tracer})
        assert tracer.names == ["connection.connect_tcp.started", "connection.connect_tcp.failed"]
        assert isinstance(tracer.told["connection.connect_tcp.failed"]["exception"], OSError)
        tracer = Tracer()
        with pytest.raises(httpx.ReadTimeout):
            await client.get(
                f"{url}/silent", extensions={"trace": tracer}, timeout=httpx.Timeout(5, read=0.1)
            )
        failed = tracer.told["http2.receive_response_headers.failed"]
        assert isinstance(failed["exception"], httpx.ReadTimeout)
        tracer = Tracer()
        with pytest.raises(httpx.ReadTimeout):
            await client.get(f"{url}/stall", extensions={"trace": tracer}, timeout=httpx.Timeout(5, read=0.1))
        assert tracer.names[-3:] == ["http2.receive_response_body.failed", *steps("http2.response_closed")]


@on_both
async def test_a_tracer_that_fails_ends_its_own_request_and_no_other(authority: Authority, url: str) -> None:
    """With the tracer's error, as in httpcore; nothing stays behind in the pool."""

    async def fail(name: str, info: object) -> None:
        if name == "http2.send_request_headers.started":
            raise LookupError("the tracer's own")

    client = ours(authority)
    async with client:
        with anyio.fail_after(2), pytest.raises(LookupError, match="own"):
            await client.get(f"{url}/silent", extensions={"trace": fail})
        assert (await client.get(url)).is_success
        transport = client._transport
        assert isinstance(transport, MultiplexedTransport)
        assert transport.statistics().streams_in_use == 0


@on_both
async def test_the_tunnel_of_a_proxy_is_traced_too(authority: Authority, url: str) -> None:
    """Its TLS belongs to `proxy`, as in httpcore, and no event has the password."""
    proxy, tracer = ConnectProxy(wants=("me", "secret")), Tracer()
    async with open_proxy(proxy):
        proxies = Proxies(https=Proxy.parse(proxy.url))
        async with ours(authority, proxies=proxies) as client:
            await client.get(url, extensions={"trace": tracer})
    assert tracer.names[:4] == steps("connection.connect_tcp", "proxy.start_tls")
    assert tracer.told["connection.connect_tcp.started"]["port"] == proxy.port
    assert "secret" not in str(tracer.told)


@on_both
async def test_over_http1_httpcore_traces_itself(authority: Authority) -> None:
    """Behind our own attempt, which finds out."""
    tracer = Tracer()
    with server_beside(authority, patient, ServerOptions(alpn=("http/1.1",))) as url:
        async with ours(authority) as client:
            await client.get(url, extensions={"trace": tracer})
    assert "http11.receive_response_headers.complete" in tracer.names
    assert not [name for name in tracer.names if name.startswith("http2.send_request")]


@on_both
async def test_the_server_is_called_by_another_name(authority: Authority, url: str) -> None:
    """In TLS alone: the certificate has to be for that name, and the Host stays what it was.

    Requests under different names share no connection, as no server has agreed to that.
    """
    async with ours(authority) as client:
        for _ in range(2):
            response = await client.get(url, extensions={"sni_hostname": "localhost"})
            assert (response.is_success, response.http_version) == (True, "HTTP/2")
        assert (await client.get(url)).is_success
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(url, extensions={"sni_hostname": "elsewhere.example"})
        with pytest.raises(TypeError, match="sni_hostname"):
            await client.get(url, extensions={"sni_hostname": 7})
        transport = client._transport
        assert isinstance(transport, MultiplexedTransport)
        assert transport.statistics().connections_opened == 2


@on_both
async def test_no_tracer_is_none(authority: Authority, url: str) -> None:
    """As httpcore has it."""
    async with ours(authority) as client:
        assert (await client.get(url, extensions={"trace": None})).is_success
