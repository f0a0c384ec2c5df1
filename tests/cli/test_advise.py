"""`discordianai advise`: from the running bot, and from files that were kept of it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
from prometheus_client import generate_latest

from discordianai.cli import advise as cli_advise
from discordianai.cli.main import main
from discordianai.operations.http_server import serving_on
from discordianai.operations.metrics import make_registry
from discordianai.operations.snapshot import Snapshot, to_json
from tests.operations.builders import provider, well


def limited(count: int) -> Snapshot:
    """So many 429s since the start."""
    dispatch = replace(provider().dispatch, rate_limited=count, requests=1000 + count)
    return well(providers={"openai": replace(provider(), dispatch=dispatch)})


@asynccontextmanager
async def served(snapshot: Callable[[], Snapshot]) -> AsyncIterator[str]:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    async with serving_on(listeners, "127.0.0.1") as pages:
        pages.shows(snapshot)
        yield url


async def run(*arguments: str) -> int:
    return await trio.to_thread.run_sync(main, ["advise", *arguments])


async def test_the_running_bot_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    async with served(lambda: limited(20)) as url:
        assert await run("--url", url) == 0
    told = capsys.readouterr()
    assert "rate_limits.openai.requests_per_minute: 500 -> 400" in told.out
    assert told.err == ""


async def test_it_can_look_at_the_next_seconds_only(capsys: pytest.CaptureFixture[str]) -> None:
    looks = 0

    def no_more_than_before() -> Snapshot:
        nonlocal looks
        looks += 1
        now = limited(20)
        return replace(now, process=replace(now.process, taken_at=now.process.taken_at + looks))

    async with served(no_more_than_before) as url:
        assert await run("--url", url, "--seconds", "1") == 0
    assert looks == 2
    assert "Nothing needs to change." in capsys.readouterr().out


def test_a_snapshot_that_was_kept_in_a_file_says_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kept"
    file.write_bytes(to_json(limited(20)))
    assert main(["advise", "--file", str(file)]) == 0
    assert "rate_limits.openai.requests_per_minute: 500 -> 400" in capsys.readouterr().out


def test_metrics_that_were_kept_in_a_file_are_no_snapshot_and_it_says_how_to_make_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kept"
    file.write_bytes(generate_latest(make_registry(lambda: limited(20))))
    assert main(["advise", "--file", str(file)]) == 1
    assert "curl --output snapshot.json http://127.0.0.1:8080/api/snapshot" in capsys.readouterr().err


async def test_what_answers_without_end_is_no_bot(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes no more memory than a snapshot may, and ends."""
    monkeypatch.setattr(cli_advise, "LARGEST", 100_000)

    async def without_end(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                await stream.send_all(b"x" * 65_536)

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, without_end, 0, host="127.0.0.1")
        listeners = await nursery.start(serve)
        with trio.fail_after(20):
            assert await run("--url", f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}") == 1
        nursery.cancel_scope.cancel()
    assert "no bot answers (BodyOutOfBounds)" in capsys.readouterr().err


async def test_what_answers_byte_by_byte_is_no_bot(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head of a response has an end, too."""
    monkeypatch.setattr(cli_advise, "TIMEOUT", 0.3)

    async def dripping(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            await stream.send_all(b"HTTP/1.1 200 OK\r\nx-slow: ")
            while True:
                await stream.send_all(b"x")
                await trio.sleep(0.02)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, dripping, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        with trio.fail_after(5):
            assert await run("--url", f"http://127.0.0.1:{port}") == 1
        nursery.cancel_scope.cancel()
    assert "no bot answers (ReadTimeout)" in capsys.readouterr().err


async def test_where_no_bot_answers_it_says_what_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert await run("--url", "http://127.0.0.1:1") == 1
    told = capsys.readouterr()
    assert "http://127.0.0.1:1/api/snapshot: no bot answers" in told.err
    assert "[operations] host and port" in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8080", "ftp://127.0.0.1", "http://[", "http://127.0.0.1:99999", "", "http://\x00"]
)
def test_what_is_no_address_is_no_traceback(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert main(["advise", "--url", url]) == 1
    assert "Traceback" not in capsys.readouterr().err


async def test_a_server_that_is_no_bot_is_said_to_be_none(capsys: pytest.CaptureFixture[str]) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        assert await run("--url", f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}") == 1
        nursery.cancel_scope.cancel()
    assert "not a snapshot of this version of the bot (process: Field required)" in capsys.readouterr().err


def test_a_saved_response_cannot_be_looked_at_for_a_while(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["advise", "--file", str(tmp_path / "snapshot.json"), "--seconds", "5"]) == 1
    assert "give only one" in capsys.readouterr().err


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff\xfe", b"x" * 200])
def test_a_file_of_something_else_is_said_to_be_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: bytes
) -> None:
    file = tmp_path / "kept"
    file.write_bytes(text)
    assert main(["advise", "--file", str(file)]) == 1
    assert "not a snapshot of this version of the bot" in capsys.readouterr().err
    assert main(["advise", "--file", str(tmp_path / "nowhere")]) == 1
    assert "No such file" in capsys.readouterr().err
    assert main(["advise", "--file", str(tmp_path)]) == 1
    assert "a folder, not a regular file" in capsys.readouterr().err


async def test_the_bot_is_where_its_settings_say(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`init` gives a second bot another port; the first one's figures would be about the wrong bot."""
    monkeypatch.chdir(tmp_path)
    async with served(lambda: limited(20)) as url:
        (tmp_path / "settings.toml").write_text(
            f"[operations]\nhost = '0.0.0.0'\nport = {url.split(':')[-1]}\n"
        )
        assert await run() == 0
    assert "rate_limits.openai.requests_per_minute: 500 -> 400" in capsys.readouterr().out
    (tmp_path / "settings.toml").write_text("[operations]\nport = 0\n")
    assert await run() == 1
    assert "operations.port is 0" in capsys.readouterr().err
