"""`check --live` tells a living bot from one that is stuck, and from none."""

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from discordianai.cli.main import main
from discordianai.operations.checks import liveness


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    """A server on this machine that answers everything with that; its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/health"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def check(folder: Path, port: int, host: str = "127.0.0.1") -> int:
    path = folder / "settings.toml"
    path.write_text(f'[operations]\nhost = "{host}"\nport = {port}\n')
    return main(["check", "--live", "--settings", str(path)])


@pytest.mark.parametrize(
    ("health", "status", "said"),
    [
        ({"live": True, "ready": True, "reasons": []}, 0, "it is alive and ready"),
        (
            {"live": True, "ready": False, "reasons": ["the bot is starting"]},
            0,
            "not ready: the bot is starting",
        ),
        ({"live": False, "ready": False, "reasons": ["trio is silent"]}, 1, "it is stuck: trio is silent"),
        ({"something": "else"}, 1, "nothing that could be the bot answers on 127.0.0.1"),
        ([], 1, "nothing that could be the bot answers"),
    ],
)
def test_it_goes_by_what_the_bot_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], health: object, status: int, said: str
) -> None:
    """One that starts, or whose provider is ill, is not to be restarted."""
    with answering(json.dumps(health).encode()) as port:
        assert check(tmp_path, port) == status
    assert said in capsys.readouterr().out


def test_an_address_for_everybody_is_asked_on_this_machine(tmp_path: Path) -> None:
    """As a container's settings have it."""
    with answering(b'{"live": true, "ready": true}') as port:
        assert check(tmp_path, port, host="0.0.0.0") == 0  # noqa: S104  # nothing is bound


def test_nobody_and_no_port_are_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with what to do."""
    with answering(b"") as port:
        pass
    assert check(tmp_path, port) == 1
    assert "check that it runs" in capsys.readouterr().out
    assert check(tmp_path, 0) == 1
    assert "set a port" in capsys.readouterr().out


@contextmanager
def dripping(head: bytes) -> Iterator[int]:
    """A server that sends `head`, and then a byte from time to time; its port."""
    done = threading.Event()

    def serve() -> None:
        with suppress(OSError):  # the other side has gone
            stream, _ = listener.accept()
            with stream:
                stream.sendall(head)
                while not done.wait(0.02):
                    stream.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nx-slow: ",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n",
    ],
)
def test_an_answer_that_drips_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    """Each byte comes in time, and the answer never does: a health check has an end of its own."""
    monkeypatch.setattr(liveness, "SECONDS", 0.3)
    with dripping(head) as port:
        began = time.monotonic()
        assert check(tmp_path, port) == 1
        assert time.monotonic() - began < 5
    assert "nothing that could be the bot answers" in capsys.readouterr().out
