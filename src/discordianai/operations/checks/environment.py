"""What the bot runs on: versions, HTTP/2, the certificates that are trusted, proxies."""

import os
import platform
import ssl
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.request import getproxies

from discordianai.conversations.sqlite.connections import LEAST_SQLITE, SQLITE
from discordianai.operations.checks.findings import Finding, fatal, ok, problem, warning

PROXIES = "proxies"
"""The subject of what is found about them."""

PACKAGES = ("discordianai", "httpx", "h2", "trio", "discord-py-interactions")


def look() -> Iterator[Finding]:
    """What this process has, and a bot that is started like it."""
    yield _versions()
    yield _http2()
    yield from _trust()
    yield from _proxies()


def without_password(url: str) -> str:
    """An address with nothing in it but scheme, host and port."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"


def _versions() -> Finding:
    versions = {"python": platform.python_version(), "sqlite": ".".join(map(str, SQLITE))}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    words = ", ".join(f"{name} {version}" for name, version in versions.items())
    if SQLITE < LEAST_SQLITE:
        least = ".".join(map(str, LEAST_SQLITE))
        return problem("versions", words, f"use a Python whose SQLite is {least} or newer", **versions)
    return ok("versions", words, **versions)


def _http2() -> Finding:
    if find_spec("h2") is None:
        return warning(
            "http2",
            "HTTP/1.1 only: the package h2 is not installed",
            "pip install 'httpx[http2]' 'h2>=4.3' brings HTTP/2",
            available=False,
        )
    return ok("http2", "HTTP/2 is offered to every server; HTTP/1.1 where one does not agree", available=True)


def _trust() -> Iterator[Finding]:
    subject = "certificates"
    paths = ssl.get_default_verify_paths()
    named = {name: os.environ.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")}
    for name, value in named.items():
        there = Path(value).is_file() if name == "SSL_CERT_FILE" else Path(value).is_dir()
        if value and not (there and os.access(value, os.R_OK)):
            yield problem(subject, f"{name} names {value}, which cannot be read", f"set or unset {name}")
            return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    count = context.cert_store_stats()["x509_ca"]
    folder = Path(paths.capath) if paths.capath else None
    in_folder = folder is not None and any(folder.glob("*.0"))  # named by their hash, read when needed
    source = " and ".join(f"{name}={value}" for name, value in named.items() if value) or "the system"
    if not count and not in_folder:
        yield problem(
            subject,
            f"no certificate authority is trusted (from {source}): every TLS connection would fail",
            "install the package ca-certificates, or point SSL_CERT_FILE at a certificate file",
        )
        return
    yield ok(
        subject, f"trusted certificate authorities: {count}, from {source}", authorities=count, source=source
    )


def _proxies() -> Iterator[Finding]:
    if not any(getproxies().get(scheme) for scheme in ("http", "https", "all")):
        yield ok(PROXIES, "none in the environment")
        return
    # Imported here: it brings httpx, which nobody without a proxy has to wait for.
    from discordianai.transport.proxy_rules import Proxies, ProxyError

    try:
        proxies = Proxies.of_environment()
    except ProxyError as error:
        for sentence in error.problems:
            yield fatal(PROXIES, sentence, "correct the variable, or unset it: the bot would not start")
        return
    for scheme, proxy in {"https": proxies.https, "http": proxies.http}.items():
        if proxy is not None:
            yield ok(PROXIES, f"{proxy} for {scheme}; Discord's gateway bypasses it", proxy=str(proxy))
