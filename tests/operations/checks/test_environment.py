"""What the bot would run on: certificates, proxies, HTTP/2."""

import importlib.util
from pathlib import Path

import pytest

from discordianai.operations.checks import environment
from discordianai.operations.checks.findings import CheckStatus, Finding
from discordianai.sandbox.certificates import Authority
from tests.operations.checks.builders import about, everything

PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_VARIABLES, "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def look() -> list[Finding]:
    return list(environment.look())


def test_the_versions_of_what_matters_are_told() -> None:
    figures = about(look(), "versions").figures
    assert {"python", "sqlite", "httpx", "h2", "trio", "discord-py-interactions"} <= set(figures)
    assert "not installed" not in figures.values()


def test_the_authorities_of_ssl_cert_file_are_counted(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.write_ca(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    finding = about(look(), "certificates")
    assert finding.verdict is CheckStatus.OK
    assert finding.figures["authorities"] == 1


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_certificates_that_are_not_there_are_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert about(look(), "certificates").verdict is CheckStatus.PROBLEM


def test_a_proxy_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example:3128/path")
    finding = about(look(), "proxies")
    assert finding.verdict is CheckStatus.OK
    assert finding.figures == {"proxy": "http://proxy.example:3128"}
    assert "secret" not in everything(look())


@pytest.mark.parametrize("proxy", ["socks5://proxy:1080", "ftp://proxy", "http://proxy:none", "http://["])
def test_a_proxy_with_which_the_bot_would_not_start_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    finding = about(look(), "proxies")
    assert finding.fatal
    assert finding.found.startswith("ALL_PROXY: ")


def test_without_the_package_h2_it_is_told_how_to_get_http2(monkeypatch: pytest.MonkeyPatch) -> None:
    assert about(look(), "http2").verdict is CheckStatus.OK
    monkeypatch.setattr(
        environment, "find_spec", lambda name: None if name == "h2" else importlib.util.find_spec(name)
    )
    finding = about(look(), "http2")
    assert finding.verdict is CheckStatus.WARNING
    assert "pip install" in finding.advice
