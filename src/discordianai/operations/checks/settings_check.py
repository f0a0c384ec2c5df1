"""The settings file: whether it is valid, where the secrets are, and who can read it."""

import ipaddress
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from discordianai.operations.checks.findings import Finding, fatal, ok, problem, warning
from discordianai.settings import file as settings_file
from discordianai.settings.document import SettingsError
from discordianai.settings.file import Reading
from discordianai.settings.secret_sources import DATABASE_PASSWORD, Secret, SecretSource, secrets_of
from discordianai.settings.tables import Settings


@dataclass(frozen=True, slots=True)
class SettingsCheck:
    """What there is to say; `settings` where the file leaves any, for the checks that go on from there."""

    findings: tuple[Finding, ...]
    settings: Settings | None


def look(named: Path | None, environment: Mapping[str, str]) -> SettingsCheck:
    """Read the file as `discordianai run` does, but continue after errors."""
    try:
        path = settings_file.find(named)
    except SettingsError as error:
        return SettingsCheck(tuple(map(_mistake, error.problems)), None)
    try:
        reading = settings_file.examine(path, environment)
    except SettingsError as error:
        reading = Reading(None, error.problems, {})
    findings = [_mistake(sentence) for sentence in reading.problems]
    if not findings:
        findings.append(ok("settings", f"{path.absolute()} is valid"))
    findings += _secrets(reading)
    findings += _readers(
        path, [s.path for s, origins in reading.origins.items() if SecretSource.FILE in origins]
    )
    in_files = [s for s, origins in reading.origins.items() if SecretSource.SECRET_FILE in origins]
    findings += _open_secret_files(path.parent / secret.credential for secret in in_files)
    if reading.settings is not None:
        findings += _unencrypted(reading.settings)
    return SettingsCheck(tuple(findings), reading.settings)


def _mistake(sentence: str) -> Finding:
    return fatal("settings", sentence)  # which says what would be right


def _secrets(reading: Reading) -> Iterator[Finding]:
    """Where each is from. That one is missing is among the mistakes, if another cannot stand in for it."""
    settings = reading.settings
    configured = [provider.name for provider in settings.configured] if settings is not None else []
    for secret in secrets_of(settings):
        if origins := reading.origins.get(secret):
            yield _secret(secret, origins)
        elif settings is not None and configured and secret.provider:
            label = settings.record(secret.provider).label
            asked = "used without a key" if secret.provider in configured else "not used"
            yield ok(secret.path, f"not set: {label} is {asked}", origin=None)
        elif secret == DATABASE_PASSWORD:
            yield ok(secret.path, "not set: PGPASSFILE or ~/.pgpass may have it", origin=None)


def _secret(secret: Secret, origins: tuple[SecretSource, ...]) -> Finding:
    found = f"from the {_named(secret, origins[0])}"
    figure = origins[0].value
    if len(origins) > 1:
        others = " and the ".join(_named(secret, origin) for origin in origins[1:])
        return warning(
            secret.path, f"{found}; another one in the {others} is not used", "remove that", origin=figure
        )
    return ok(secret.path, found, origin=figure)


def _named(secret: Secret, origin: SecretSource) -> str:
    names = {
        SecretSource.CREDENTIAL: secret.credential,
        SecretSource.ENVIRONMENT: secret.variable,
        SecretSource.SECRET_FILE: secret.credential,
    }
    return f"{origin} {names[origin]}" if origin in names else str(origin)


def _readers(path: Path, secrets: list[str]) -> Iterator[Finding]:
    """Who may read the file matters where a secret is in it; who may write it always does."""
    subject = "settings file"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return  # that it cannot be read is told already
    held = f"{', '.join(secrets)} in it" if secrets else "no secret in it"
    chmod = f"chmod 600 {quote(str(path))}"
    if mode & stat.S_IWOTH:
        yield problem(subject, f"everyone can write to it (mode {mode:o}) and redirect the keys", chmod)
    elif secrets and mode & stat.S_IROTH:
        yield problem(subject, f"everyone can read it (mode {mode:o}), with {held}", chmod)
    elif secrets and mode & stat.S_IRGRP:
        yield warning(subject, f"its group can read it (mode {mode:o}), with {held}", chmod)
    else:
        yield ok(subject, f"mode {mode:o}, with {held}", mode=f"{mode:o}")


def _open_secret_files(files: Iterable[Path]) -> Iterator[Finding]:
    """Those that others may read."""
    for file in files:
        try:
            mode = stat.S_IMODE(file.lstat().st_mode)
        except OSError:
            continue  # removed meanwhile
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            chmod = f"chmod 600 {quote(str(file))}"
            yield problem("secret file", f"{file} is open to others (mode {mode:o})", chmod)


def _unencrypted(settings: Settings) -> Iterator[Finding]:
    """Warns of secrets that would be sent unencrypted."""
    addresses = {"discord.api_url": settings.discord.api_url}
    for provider in settings.configured:
        table = settings.provider(provider.name)
        if table.api_key is not None:
            addresses[f"providers.{provider.name}.base_url"] = table.base_url
    for path, address in addresses.items():
        parts = urlsplit(address)
        if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
            yield warning(
                path, "http:// sends the key unencrypted", "use https:// unless you trust the network"
            )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
