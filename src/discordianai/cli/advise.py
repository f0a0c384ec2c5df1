"""`discordianai advise`: recommends changes to the settings, based on a running bot's figures."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from discordianai.cli import Commands
    from discordianai.operations.snapshot import Snapshot

HERE = "http://127.0.0.1:8080"
TIMEOUT = 5.0
"""Seconds for an answer from this machine."""

LARGEST = 16 * 2**20
"""Bytes that a snapshot may have, in a file or from an address; it has some thousands."""


class NoFigures(Exception):
    """There are no figures; the message says why, and what to do."""


def add_to(commands: "Commands") -> None:
    """Add `advise`."""
    parser = commands.add_parser(
        "advise",
        help="suggest changes to settings.toml, based on the running bot's figures",
        description="Looks at everything since the bot started, or at the next N seconds.",
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--url", metavar="URL", help="address of the bot's pages (default: host and port of its settings)"
    )
    source.add_argument("--file", type=Path, metavar="FILE", help="read a saved response of /api/snapshot")
    parser.add_argument("--seconds", type=_seconds, metavar="N", help="look at the next N seconds instead")
    parser.set_defaults(command=_advise)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError("should be from 1 to 86400")
    return seconds


def _advise(options: argparse.Namespace) -> int:
    from discordianai.operations.advice import advise, as_text, period

    before = None
    try:
        if options.file is not None and options.seconds is not None:
            raise NoFigures("--seconds looks at a running bot, --file at a saved response: give only one")
        if options.file is not None:
            now = _read(options.file)
        else:
            url = _address() if options.url is None else options.url
            now = _ask(url)
            if options.seconds is not None:
                time.sleep(options.seconds)
                before, now = now, _ask(url)
    except NoFigures as error:
        sys.stderr.write(f"{error}\n")
        return 1
    looked_at = period(now, before)
    sys.stdout.write(as_text(advise(now, before), looked_at))
    return 0


def _address() -> str:
    """Where the bot of the settings has its pages. Raises `SettingsError`, `NoFigures`."""
    from discordianai.operations.checks.liveness import reached_at
    from discordianai.settings import file as settings_file

    operations = settings_file.load_without_secrets().operations
    if not operations.port:
        raise NoFigures("operations.port is 0, so that the bot serves no figures: set a port, and restart it")
    host = reached_at(operations.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{operations.port}"


def _ask(url: str) -> "Snapshot":
    import anyio
    import httpx

    from discordianai.operations.snapshot import NotASnapshot, from_json

    address = f"{url.rstrip('/')}/api/snapshot"
    try:
        response = anyio.run(_get, address, backend="trio")
        if response.status_code == 503:
            raise NoFigures(f"{address}: the bot is starting; try again in a moment")
        response.raise_for_status()
        return from_json(response.content)
    except httpx.HTTPStatusError as error:
        raise NoFigures(f"{address}: answered {error.response.status_code}; is that the bot?") from None
    except NotASnapshot as error:
        raise NoFigures(f"{address}: not a snapshot of this version of the bot ({error})") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoFigures(
            f"{address}: no bot answers ({type(error).__name__}); is it running, "
            "and is that where [operations] host and port of its settings say?"
        ) from None


async def _get(address: str) -> "httpx.Response":
    import anyio
    import httpx

    from discordianai import bounded_http

    # What the environment says of proxies is about other machines.
    async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=False) as client:
        request = client.build_request("GET", address)
        try:
            with anyio.fail_after(TIMEOUT):  # httpx times each read of the response's head alone
                return await bounded_http.send(client, request, most_bytes=LARGEST)
        except TimeoutError:
            raise httpx.ReadTimeout("the answer was not complete in time", request=request) from None


def _read(path: Path) -> "Snapshot":
    from discordianai import safe_files
    from discordianai.operations.snapshot import NotASnapshot, from_json

    try:
        return from_json(safe_files.read(path, LARGEST))
    except OSError as error:
        raise NoFigures(f"{path}: {error.strerror}") from None
    except NotASnapshot as error:
        raise NoFigures(
            f"{path}: not a snapshot of this version of the bot ({error}); "
            f"this makes one: curl --output snapshot.json {HERE}/api/snapshot"
        ) from None
