"""What a bot's service finds when it starts: settings and secrets, and what keeps it from reading them."""

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from discordianai.operations.units.installation import Installation, closed_to_others
from discordianai.operations.units.locations import BotService, UnitError
from discordianai.settings import file as settings_file
from discordianai.settings.document import SettingsError, no_file
from discordianai.settings.secret_sources import DATABASE_PASSWORD, Secret, secrets_of
from discordianai.settings.tables import Settings

SECRET_MODE = 0o600


@dataclass(frozen=True, slots=True)
class Found:
    """A bot's settings and secrets as they are now; `missing` says what else it needs, in sentences.

    `secret_files` has the file of each secret that there can be, `secrets` those that are there, both by the
    names of the credentials.
    """

    settings_file: Path
    settings: Settings
    secrets: dict[str, Path]
    secret_files: dict[str, Path]
    missing: tuple[str, ...]


def look(bot: BotService, named: Path | None) -> Found:
    """Read what the service would read; of the secrets only whether they are there.

    `named` is the settings' file where the operator named one. Raises `SettingsError` or `UnitError`.
    """
    path = _settings_file(bot, named)
    settings = settings_file.load_without_secrets(path)
    possible = _possible(bot, settings)
    files = {secret.credential: bot.secret_file(secret.credential) for secret in possible}
    secrets = {credential: file for credential, file in files.items() if _is_there(file)}
    settings = settings_file.load(path, _stand_ins(possible))
    try:
        settings_file.load(path, _stand_ins(s for s in possible if s.credential in secrets))
    except SettingsError as error:  # with all secrets it could be read: one of them is missing
        return Found(path, settings, secrets, files, error.problems)
    return Found(path, settings, secrets, files, ())


def _possible(bot: BotService, settings: Settings) -> tuple[Secret, ...]:
    """Also the database's password, once it is there: it comes before the settings name the database."""
    possible = secrets_of(settings)
    early = DATABASE_PASSWORD not in possible and _is_there(bot.secret_file(DATABASE_PASSWORD.credential))
    return (*possible, DATABASE_PASSWORD) if early else possible


def _stand_ins(secrets: Iterable[Secret]) -> dict[str, str]:
    """An environment with these secrets; what lies beside the settings is not handed to a service."""
    return {"CREDENTIALS_DIRECTORY": os.devnull, **{secret.variable: "there" for secret in secrets}}


def obstacles(bot: BotService, installation: Installation, found: Found) -> Iterator[str]:
    """What would keep the service from starting, with what helps. A user's own service has none of these."""
    if bot.places.of_user:
        return
    folder = found.settings_file.parent
    if folder in {Path("/"), Path("/root"), Path("/home"), Path.home()} or folder.parent == Path("/home"):
        yield (
            f"{found.settings_file}: the service can see the folder of its settings, and this one is a home"
            f" folder: move the file, for example to {bot.folder}"
        )
    entries = (*installation.folders, folder, found.settings_file.resolve().parent)
    for file in (installation.python, installation.package, found.settings_file):
        if closed := closed_to_others(file, entries):
            yield (
                f"{closed} may not be read by others, and the service runs as a user of its own:"
                f" chmod o+{'rx' if closed.is_dir() else 'r'} {closed}"
            )


def doubts(bot: BotService, found: Found) -> Iterator[str]:
    """What the operator should know, though the service may start."""
    for problem in found.missing:
        yield f"{problem} (for this service: a file in {bot.folder}, see below)"
    for file in found.secrets.values():
        if stat.S_IMODE(file.stat().st_mode) & ~SECRET_MODE:
            yield f"{file} may be read by others than its owner: chmod {SECRET_MODE:o} {file}"
    database = found.settings.conversations.database
    if found.settings.conversations.url is None and Path(database).is_absolute():
        yield (
            f"conversations.database: the service may write in its own state directory only, which {database}"
            " is not in; a relative path lies there"
        )


def _settings_file(bot: BotService, named: Path | None) -> Path:
    candidates = (
        [bot.folder / "settings.toml"] if bot.name else [Path("settings.toml"), bot.folder / "settings.toml"]
    )
    if named is not None:
        candidates = [named]
    for candidate in candidates:
        if candidate.exists():
            return Path(os.path.abspath(candidate))  # noqa: PTH100  # a symbolic link stays one, .. does not
    raise no_file(candidates)


def _is_there(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UnitError(f"{file} is not accessible: {error.strerror}; run this as root (sudo)") from None
