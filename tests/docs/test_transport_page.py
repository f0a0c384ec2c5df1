"""The programs in docs/transport.md do what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from discordianai.sandbox.certificates import Authority
from tests.docs.pages import ROOT
from tests.transport.backends import server_beside
from tests.transport.builders import echo

PROGRAMS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/transport.md").read_text(), re.M | re.S)
ADDRESS = "https://www.example.org/"


def test_there_is_one_for_each_library() -> None:
    """Ten lines each, under plain httpx."""
    libraries = [re.findall(r"^(asyncio|trio)\.run", program, re.M) for program in PROGRAMS]
    assert libraries == [["asyncio"], ["trio"]]
    assert all(len(list(filter(None, program.splitlines()))) <= 10 for program in PROGRAMS)
    assert all(program.count(ADDRESS) == 1 for program in PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS, ids=["asyncio", "trio"])
def test_it_speaks_http2(authority: Authority, tmp_path: Path, program: str) -> None:
    """As it stands, but for the address, and the authority that the environment names."""
    authority.write_ca(tmp_path / "ca.pem")
    environment = {**os.environ, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}
    with server_beside(authority, echo) as url:
        command = [sys.executable, "-W", "error", "-c", program.replace(ADDRESS, url)]
        done = subprocess.run(  # noqa: S603  # our own page
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.stdout, done.stderr) == ("HTTP/2 200\n", "")
