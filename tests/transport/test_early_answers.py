"""Servers that answer before the request is whole, and what they still say of streams that are over."""

import anyio
import httpx
import pytest
import trio
from hyperframe.frame import RstStreamFrame

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.http import ServerExchange
from discordianai.transport import ConnectionClosed
from tests.transport.backends import on_both
from tests.transport.builders import http2, patient, scene


async def rejecting(exchange: ServerExchange) -> None:
    """`/reject` answers at once and stops the upload, all in one flight, as haproxy, caddy and granian do."""
    stream = http2(exchange)
    machine = stream.connection.machine
    match exchange.path:
        case "/reject":
            machine.send_headers(stream.stream_id, [(":status", "413")])
            machine.send_data(stream.stream_id, b"too large", end_stream=True)
            machine.reset_stream(stream.stream_id, 0)
            await stream.connection.flush()
        case "/reject-first":
            machine.send_headers(stream.stream_id, [(":status", "413")])
            machine.reset_stream(stream.stream_id, 0)
            await stream.connection.flush()
        case _:
            await patient(exchange)


@pytest.mark.parametrize("size", [20_000, 100_000, 5_000_000])
@on_both
async def test_uploads_that_are_rejected_early_are_answered_and_harm_no_neighbour(
    authority: Authority, size: int
) -> None:
    """Five rejected uploads beside 25 streams: all are answered, on connections that stay."""
    async with scene(authority, rejecting) as s:
        outcomes: list[tuple[int, bytes]] = []

        async def ask(path: str, body: bytes) -> None:
            response = await s.client.post(s.url(path), content=body)
            outcomes.append((response.status_code, response.content))

        async with anyio.create_task_group() as tasks:
            for number in range(25):
                tasks.start_soon(ask, "/drip", b"")
                if number % 5 == 0:
                    tasks.start_soon(ask, "/reject", b"x" * size)
        assert outcomes.count((413, b"too large")) == 5
        assert outcomes.count((200, b"0;1;2;3;4;5;6;7;8;9;")) == 25
        await s.until(lambda: s.open_streams == 0)
        assert s.told(ConnectionClosed) == []


@on_both
async def test_an_answer_that_is_cut_by_a_reset_is_no_answer(authority: Authority) -> None:
    """NO_ERROR or not: without END_STREAM it is not whole."""
    async with scene(authority, rejecting) as s:
        with pytest.raises(httpx.RemoteProtocolError, match="NO_ERROR"):
            await s.client.post(s.url("/reject-first"), content=b"x" * 100_000)
        assert (await s.get()).status_code == 200
        assert s.server.connections_opened == 1


async def test_hints_data_and_resets_that_come_after_a_cancel_are_ignored(authority: Authority) -> None:
    """The neighbour goes on, on the same connection, and its window is whole."""
    late = trio.Event()

    async def handler(exchange: ServerExchange) -> None:
        stream = http2(exchange)
        if exchange.path != "/late":
            await patient(exchange)
            return
        try:
            await trio.sleep_forever()
        finally:
            connection, stream_id = stream.connection, stream.stream_id
            block = connection.machine.encoder.encode([(":status", "103"), ("link", "</style.css>")])
            head = len(block).to_bytes(3, "big") + b"\x01\x04" + stream_id.to_bytes(4, "big")
            data = b"\0\x3e\x80\0\0" + stream_id.to_bytes(4, "big") + bytes(16_000)
            with trio.CancelScope(shield=True):
                await connection.send_raw(
                    (head + block) * 2 + data * 100 + RstStreamFrame(stream_id).serialize()
                )
            late.set()

    async with scene(authority, handler) as s, s.client.stream("GET", s.url("/drip")) as neighbour:
        for _ in range(3):
            with trio.move_on_after(0.05):
                await s.get("/late")
            await late.wait()
        assert len(await neighbour.aread()) == 20
        assert (await s.client.post(s.url(), content=b"x" * 3_000_000)).content == b"x" * 3_000_000
        assert s.server.connections_opened == 1
