"""The environment's proxies: who goes through them, and how."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import trio

from discordianai.sandbox.certificates import Authority, make_authority
from discordianai.sandbox.http import ServerExchange, ServerOptions, open_server
from discordianai.transport.clients import build_client
from discordianai.transport.options import PoolOptions
from discordianai.transport.proxy_rules import Proxies, Proxy, ProxyError
from tests.transport.builders import echo, scene
from tests.transport.connect_proxy import ConnectProxy, open_proxy
from tests.transport.servers.launching import PATH, free_port, run_process

TINYPROXY = shutil.which("tinyproxy", path=PATH)
PASSWORD = "pass wörd:@"
WRITTEN_PASSWORD = "pass%20w%C3%B6rd%3A%40"


@pytest.fixture(autouse=True)
def no_proxy_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


# Who goes through one


@pytest.mark.parametrize(
    ("exempt", "url", "proxied"),
    [
        ("", "https://api.openai.com/v1", True),
        ("openai.com", "https://api.openai.com/v1", False),
        ("openai.com", "https://openai.com/", False),
        (".openai.com", "https://openai.com/", False),
        ("*.openai.com", "https://api.openai.com/", False),
        ("OpenAI.com.", "https://API.openai.com./", False),
        ("openai.com", "https://notopenai.com/", True),
        ("openai.com", "https://openai.com.example/", True),
        ("localhost", "https://localhost:8443/", False),
        ("example.com:8443", "https://example.com:8443/", False),
        ("example.com:8443", "https://example.com/", True),
        ("example.com:443", "https://example.com/", False),
        ("bücher.example", "https://xn--bcher-kva.example/", False),
        ("xn--bcher-kva.example", "https://bücher.example/", False),
        ("::1", "https://[::1]/", False),
        ("[::1]", "https://[0:0:0:0:0:0:0:1]:8443/", False),
        ("[::1]:8443", "https://[::1]:8443/", False),
        ("[::1]:8443", "https://[::1]/", True),
        ("192.0.2.7", "https://192.0.2.7/", False),
        ("192.0.2.7", "https://192.0.2.70/", True),
        ("192.0.2.7:81", "https://192.0.2.7:81/", False),
        ("10.0.0.0/8", "https://10.200.3.4/", False),
        ("10.1.2.3/8", "https://10.200.3.4/", False),
        ("10.0.0.0/8", "https://11.0.0.1/", True),
        ("10.0.0.0/8", "https://[::ffff:10.0.0.1]/", False),
        ("10.0.0.0/8", "https://10.example/", True),
        ("fe80::/10", "https://[fe80::1]/", False),
        ("fe80::/10", "https://[fec0::1]/", True),
        ("fe80::/10", "https://10.0.0.1/", True),
        ("*", "https://api.openai.com/v1", False),
        ("internal.example, *", "https://api.openai.com/v1", False),
        ("a.example b.example,,  c.example ", "https://c.example/", False),
    ],
)
def test_who_is_exempt_from_the_proxy(
    monkeypatch: pytest.MonkeyPatch, exempt: str, url: str, proxied: bool
) -> None:
    """NO_PROXY has the grammar that docs/connection-pooling.md gives."""
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", exempt)
    to = httpx.URL(url)
    chosen = Proxies.of_environment().choose(to.scheme, to.raw_host.decode(), to.port)
    assert chosen == (Proxy("http", "proxy.example", 3128) if proxied else None)


@pytest.mark.parametrize(
    ("variables", "http", "https"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": "http://p:1"}, "http://p:1", None),
        ({"HTTPS_PROXY": "https://p"}, None, "https://p:443"),
        ({"ALL_PROXY": "p:1"}, "http://p:1", "http://p:1"),
        ({"ALL_PROXY": "p:1", "HTTPS_PROXY": "[::1]:2"}, "http://p:1", "http://[::1]:2"),
        ({"all_proxy": "http://p"}, "http://p:80", "http://p:80"),
        ({"HTTPS_PROXY": ""}, None, None),
        ({"NO_PROXY": "such/nonsense"}, None, None),
    ],
)
def test_each_scheme_has_its_proxy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], http: str | None, https: str | None
) -> None:
    """ALL_PROXY stands in for both others; without a proxy, NO_PROXY matters to nobody."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    proxies = Proxies.of_environment()
    chosen = [proxies.choose(scheme, "api.example", None) for scheme in ("http", "https")]
    assert [None if proxy is None else str(proxy) for proxy in chosen] == [http, https]


@pytest.mark.parametrize(
    "proxy",
    [
        "socks5://me:secret@proxy:1080",
        "ftp://me:secret@proxy",
        "http://me:secret@proxy:none",
        "http://me:secret@proxy:0",
        "http://me:secret@proxy:99999",
        "http://me:secret@[",
        "http://me:secret@",
        "me:secret@pro xy:80",
        "http://me:se#cret@proxy:80",
        "http://me:secret@10.0.0.256",
        "secret",
    ],
)
def test_a_proxy_that_cannot_be_used_is_an_error_without_its_password(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """The variable is named; a name alone is a proxy, and all else here is none."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    if proxy == "secret":
        assert str(Proxies.of_environment().https) == "http://secret:80"
        return
    with pytest.raises(ProxyError) as raised:
        Proxies.of_environment()
    assert [problem.partition(":")[0] for problem in raised.value.problems] == ["ALL_PROXY"]
    assert "secret" not in str(raised.value)
    assert "cret" not in str(raised.value)


@pytest.mark.parametrize(
    "entry",
    [
        "10.0.0.0/33",
        "fe80::/129",
        "10.0.0.0/8:443",
        "http://internal.example",
        "192.168.*",
        "in*.example",
        "10.0.0.256",
        "10.0.0",
        "internal.example:",
        "internal.example:http",
        "internal.example:70000",
        "-internal.example",
        "<local>",
        ".",
        "[::1",
        ":8080",
    ],
)
def test_an_entry_of_no_proxy_that_means_nothing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    """Rather than a request that goes, with its key, where it was not meant to go."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", f"good.example,{entry},::1")
    with pytest.raises(ProxyError) as raised:
        Proxies.of_environment()
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith(f"NO_PROXY: {entry!r}")


def test_all_mistakes_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One run shows the operator everything."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://p")
    monkeypatch.setenv("HTTP_PROXY", "http://p:none")
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/99 http://x")
    with pytest.raises(ProxyError) as raised:
        Proxies.of_environment()
    names = [problem.partition(":")[0] for problem in raised.value.problems]
    assert names == ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "NO_PROXY"]


def test_a_proxy_shows_no_password() -> None:
    """Neither as a text nor in a representation, which logs and tracebacks have."""
    proxy = Proxy.parse("http://me:secret@proxy.example:3128/path")
    assert str(proxy) == "http://proxy.example:3128"
    assert "secret" not in repr(Proxies(proxy, proxy))


# How they are gone through


def through(proxy: ConnectProxy, *exempt: str) -> Proxies:
    parsed = Proxy.parse(proxy.url)
    return Proxies(parsed, parsed)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_http2_goes_through_a_tunnel(authority: Authority, scheme: str) -> None:
    """CONNECT, with the password that the proxy wants; then many requests share one connection."""
    proxy = ConnectProxy(scheme=scheme, wants=("me", WRITTEN_PASSWORD))
    async with open_proxy(proxy, authority):
        parsed = through(proxy)
        proxy.wants = ("me", PASSWORD)
        async with scene(authority, echo, proxies=parsed) as s:
            for number in range(5):
                response = await s.client.post(s.url(f"/{number}"), content=b"x" * 100_000)
                assert response.http_version == "HTTP/2"
                assert (response.headers["x-path"], len(response.content)) == (f"/{number}", 100_000)
            assert proxy.tunnels == [s.server.url.removeprefix("https://")]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_http1_goes_through_a_tunnel(authority: Authority, scheme: str) -> None:
    """The same for an origin that does not agree to HTTP/2."""
    proxy = ConnectProxy(scheme=scheme, wants=("me", "secret"))
    options = ServerOptions(alpn=("http/1.1",))
    async with (
        open_proxy(proxy, authority),
        scene(authority, echo, options, proxies=through(proxy)) as s,
    ):
        for _ in range(2):
            assert (await s.get()).http_version == "HTTP/1.1"
        assert set(proxy.tunnels) == {s.server.url.removeprefix("https://")}


async def test_plain_http_is_sent_to_the_proxy_itself(authority: Authority) -> None:
    """With the whole URL, as proxies have it (RFC 9112, 3.2.2)."""
    async with open_server(echo, authority=None) as server:
        proxies = Proxies(http=Proxy.parse(server.url))
        async with scene(authority, echo, proxies=proxies) as s:
            proxied = await s.client.get("http://somewhere.example/path")
            assert proxied.headers["x-path"] == "http://somewhere.example/path"
            assert (await s.get()).http_version == "HTTP/2"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 403 Forbidden for secret\r\n\r\n", "answers CONNECT with 403 Forbidden"),
        (b"HTTP/1.1 599 \r\ncontent-length: 0\r\n\r\n", "answers CONNECT with 599"),
        (b"HTTP/1.1 200 OK\r\n\r\nwelcome", "sends more than an answer"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 5000, "without an end"),
        (b"", "closes the connection"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_fails_the_request_in_words(
    authority: Authority, answer: bytes, why: str
) -> None:
    """At once, and with nothing of the password."""
    proxy = ConnectProxy(wants=("me", "secret"), answer=answer)
    async with open_proxy(proxy), scene(authority, echo, proxies=through(proxy)) as s:
        with pytest.raises(httpx.ConnectError) as raised:
            await s.get()
    assert why in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\nProxy-agent: old\r\n\r\n",
        b"HTTP/1.1 204\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 2000 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
)
async def test_a_proxy_may_say_yes_in_many_ways(authority: Authority, answer: bytes) -> None:
    """Any 2xx opens the tunnel, also after interim answers; nothing for the proxy goes through it."""
    seen: list[str] = []

    async def handler(exchange: ServerExchange) -> None:
        seen.extend(exchange.headers)
        await echo(exchange)

    proxy = ConnectProxy(wants=("me", "secret"), answer=answer)
    async with open_proxy(proxy), scene(authority, handler, proxies=through(proxy)) as s:
        assert (await s.get()).http_version == "HTTP/2"
    assert "proxy-authorization" not in seen


async def test_the_origin_behind_a_tunnel_is_verified_by_its_own_name(authority: Authority) -> None:
    """Whoever sits at the other end of the tunnel gets no request unless the certificate is the origin's."""
    proxy = ConnectProxy()
    async with open_proxy(proxy), scene(authority, echo, proxies=through(proxy)) as s:
        with pytest.raises(httpx.ConnectError, match="(?i)certificate"):
            await s.get(extensions={"sni_hostname": "another.example"})
        assert (await s.get()).http_version == "HTTP/2"
    assert len(proxy.tunnels) == 2


async def test_an_answer_byte_by_byte_ends_with_the_connect_timeout(authority: Authority) -> None:
    """Each byte is a sign of life, and all of them together are part of connecting."""

    async def drip(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(b"H")
                await trio.sleep(0.02)

    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    proxies = Proxies(https=Proxy.parse(f"127.0.0.1:{listener.socket.getsockname()[1]}"))
    async with scene(authority, echo, proxies=proxies) as s, trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, drip, [listener])
        with pytest.raises(httpx.ConnectTimeout), trio.fail_after(2):
            await s.get(timeout=httpx.Timeout(60, connect=0.3))
        nursery.cancel_scope.cancel()


async def test_a_proxy_that_wants_another_password_is_told(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    """Over either protocol, and no log has the password, not even at DEBUG."""
    proxy = ConnectProxy(wants=("me", "secret"))
    caplog.set_level(logging.DEBUG)
    async with open_proxy(proxy):
        proxies = through(proxy)
        proxy.wants = ("me", "another")
        async with scene(authority, echo, proxies=proxies) as s:
            with pytest.raises(httpx.ConnectError, match="407 Proxy Authentication Required"):
                await s.get()
        async with scene(authority, echo, proxies=proxies, http2=False) as s:
            with pytest.raises(httpx.ProxyError, match="407 Proxy Authentication Required"):
                await s.get()
    for hidden in ("secret", "bWU6c2VjcmV0"):
        assert hidden not in caplog.text


async def test_a_proxy_that_is_not_there_is_named(authority: Authority) -> None:
    """Rather than the origin, which was never reached."""
    proxies = Proxies(https=Proxy.parse(f"http://me:secret@127.0.0.1:{free_port()}"))
    async with scene(authority, echo, proxies=proxies) as s:
        with pytest.raises(httpx.ConnectError, match=r"proxy http://127.0.0.1:\d+ cannot be reached: Conn"):
            await s.get()


async def test_a_proxy_with_a_certificate_of_somebody_else_is_not_trusted(authority: Authority) -> None:
    """The password goes only to the proxy that is meant."""
    proxy = ConnectProxy(scheme="https", wants=("me", "secret"))
    async with (
        open_proxy(proxy, make_authority()),
        scene(authority, echo, proxies=through(proxy)) as s,
    ):
        with pytest.raises(httpx.ConnectError, match="certificate is not trusted"):
            await s.get()
    assert proxy.tunnels == []


async def test_a_silent_proxy_ends_with_the_connect_timeout(authority: Authority) -> None:
    """The wait for its answer is part of connecting."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    proxies = Proxies(https=Proxy.parse(f"127.0.0.1:{listener.socket.getsockname()[1]}"))
    async with listener, scene(authority, echo, proxies=proxies) as s:
        with pytest.raises(httpx.ConnectTimeout):
            await s.get(timeout=httpx.Timeout(5, connect=0.2))


async def test_the_bots_client_uses_the_environment_and_the_systems_trust(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every way: HTTP/2 and HTTP/1.1, directly and through a proxy."""
    authority.write_ca(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    proxy = ConnectProxy(wants=("me", "secret"))
    async with open_proxy(proxy), open_server(echo, authority=authority) as server:
        for proxied in (False, True):
            if proxied:
                monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            for http2 in (True, False):
                async with build_client("a", PoolOptions(), 5.0, http2=http2).http as client:
                    response = await client.get(server.url)
                    assert response.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert len(proxy.tunnels) == 2


@pytest.fixture
def tinyproxy(tmp_path: Path) -> Iterator[str]:
    if TINYPROXY is None:
        pytest.skip("tinyproxy is not installed (apt: tinyproxy)")
    port = free_port()
    config = tmp_path / "tinyproxy.conf"
    config.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nBasicAuth me secret\nMaxClients 50\n")
    with run_process([TINYPROXY, "-d", "-c", str(config)], tmp_path / "tinyproxy.log", port):
        yield f"http://me:secret@127.0.0.1:{port}"


async def test_tinyproxy_is_gone_through(authority: Authority, tinyproxy: str) -> None:
    """A proxy that others wrote, with 30 requests at once, and the wrong password."""
    async with scene(authority, echo, proxies=Proxies(https=Proxy.parse(tinyproxy))) as s:
        async with trio.open_nursery() as nursery:
            for _ in range(30):
                nursery.start_soon(s.get)
        assert (await s.get()).http_version == "HTTP/2"
    wrong = Proxies(https=Proxy.parse(tinyproxy.replace("secret", "wrong")))
    async with scene(authority, echo, proxies=wrong) as s:
        with pytest.raises(httpx.ConnectError, match="answers CONNECT with 40[17]"):
            await s.get()
