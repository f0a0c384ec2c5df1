"""The pool under the load of real servers: `make test-servers`. A server that is not installed is skipped."""

from collections import Counter
from collections.abc import Awaitable, Callable

import httpx
import pytest

from discordianai.sandbox.certificates import Authority
from discordianai.transport import MultiplexedTransport
from tests.transport.backends import on_both
from tests.transport.servers import IN_CI, NGINX, Kind, NginxOptions, nginx, open_server
from tests.transport.servers.load import TIMEOUT, Load, Tally

pytestmark = pytest.mark.servers

each_server = pytest.mark.parametrize("kind", IN_CI, ids=lambda kind: kind.name, indirect=True)
SHORT_LIVED = nginx(NginxOptions(keepalive_requests=20))
"""Ends its connections so often that many requests have to move to another one."""


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Kind:
    """The server of a parameter."""
    kind: Kind = request.param
    if kind.installed() is None:
        pytest.skip(kind.missing)
    return kind


async def under(kind: Kind, authority: Authority, scenario: Callable[[Load], Awaitable[Tally]]) -> Tally:
    """Run a scenario; nothing may be left of it in the pool."""
    with open_server(kind, authority) as server:
        transport = MultiplexedTransport(ssl_context=authority.client_context())
        async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT) as client:
            tally = await scenario(Load(client, server))
            figures = transport.statistics()
    assert (figures.streams_in_use, figures.requests_waiting) == (0, 0)
    assert set(figures.protocols.values()) == {"HTTP/2"}
    return tally


@each_server
async def test_two_thousand_posts_are_answered(kind: Kind, authority: Authority) -> None:
    """2000 posts at concurrency 50: each gets the answer that is its own."""
    tally = await under(kind, authority, lambda load: load.posts(2000, 50))
    assert tally == Tally(answered=2000)


@each_server
@on_both
async def test_cancelled_downloads_harm_no_bystander(kind: Kind, authority: Authority) -> None:
    """200 large answers are left at any moment, beside 400 requests that are answered whole."""
    tally = await under(kind, authority, lambda load: load.cancelled_downloads(200, 400))
    assert (tally.faults, tally.cancelled) == (Counter(), 200)
    assert tally.answered >= 400


@each_server
async def test_a_slow_reader_delays_no_other(kind: Kind, authority: Authority) -> None:
    """20 MB are read slowly and whole, while 200 small requests are answered."""
    tally = await under(kind, authority, lambda load: load.slow_reader(200))
    assert tally == Tally(answered=201)


@pytest.mark.parametrize("kind", [k for k in IN_CI if k.reload], ids=lambda kind: kind.name, indirect=True)
async def test_a_reload_loses_no_request(kind: Kind, authority: Authority) -> None:
    """The server reloads in the midst of 2000 posts, of which none fails."""
    tally = await under(kind, authority, lambda load: load.reload(2000, 50))
    assert tally == Tally(answered=2000)


@each_server
@on_both
async def test_uploads_that_are_rejected_early_harm_no_neighbour(kind: Kind, authority: Authority) -> None:
    """15 uploads of 20 to 100 KB get their early answer, and 200 other uploads beside them go on."""
    tally = await under(kind, authority, lambda load: load.early_rejects(15, 200))
    assert tally == Tally(answered=215)


@pytest.mark.parametrize(
    "kind", [*IN_CI, SHORT_LIVED], ids=[*(k.name for k in IN_CI), "nginx-20-requests"], indirect=True
)
async def test_rapid_cancels_reset_nobody_else(kind: Kind, authority: Authority) -> None:
    """3000 requests are cancelled within milliseconds, and 1000 beside them are answered."""
    tally = await under(kind, authority, lambda load: load.cancels_beside(3000, 1000, 0.015))
    assert (tally.faults, tally.cancelled) == (Counter(), 3000)
    assert tally.answered >= 1000


@pytest.mark.parametrize("kind", [NGINX], ids=["nginx"], indirect=True)
async def test_the_load_sees_an_answer_that_is_anothers(kind: Kind, authority: Authority) -> None:
    """The harness itself: an answer with another's id is found out."""
    with open_server(kind, authority) as server:
        async with httpx.AsyncClient(verify=authority.client_context(), http2=True) as client:

            async def under_one_name(request: httpx.Request) -> None:
                request.headers["x-id"] = "id-1"

            client.event_hooks = {"request": [under_one_name]}
            tally = await Load(client, server).posts(10, 2)
    assert tally == Tally(answered=1, faults=Counter({"Strange: the answer is another's": 9}))
