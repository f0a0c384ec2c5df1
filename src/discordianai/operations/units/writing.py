"""Writes and removes unit files, and touches no others."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from discordianai import safe_files
from discordianai.operations.units.files import MARK, SHARED_UNIT, UnitFile
from discordianai.operations.units.locations import BotService, UnitError


def write(files: Iterable[UnitFile]) -> dict[Path, bool]:
    """Write all or none; for each, whether it changed. Raises `UnitError`."""
    files = tuple(files)
    for file in files:
        _refuse_foreign(file.path)
    return {file.path: _write(file) for file in files}


def remove(bot: BotService) -> list[Path]:
    """Remove what `write` wrote for `bot`; the shared unit goes with the last of its bots.

    Returns what is gone. Raises `UnitError`, also where the unit is still enabled.
    """
    units = bot.places.units
    if enabled := sorted(units.glob(f"*.wants/{bot.unit}")):
        raise UnitError(
            f"{enabled[0]} says that {bot.unit} is enabled;"
            f" first stop it: {bot.places.systemctl} disable --now {bot.unit}"
        )
    doomed = [units / bot.unit]
    if bot.name is not None:
        doomed = [units / f"{bot.unit}.d" / "bot.conf"]
        if set(units.glob("discordianai@*.service.d/bot.conf")) <= set(doomed):
            doomed.append(units / SHARED_UNIT)
    doomed = [path for path in doomed if os.path.lexists(path)]
    for path in doomed:
        _refuse_foreign(path)
    for path in doomed:
        _remove(path)
    return doomed


def _write(file: UnitFile) -> bool:
    try:
        if _content(file.path) == file.text:
            return False
        file.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _replace(file)
    except OSError as error:
        raise UnitError(_trouble("written", file.path, error)) from None
    return True


def _replace(file: UnitFile) -> None:
    """Replace atomically: a manager never reads half a unit."""
    fresh = file.path.with_name(f".{file.path.name}.{secrets.token_hex(4)}.new")
    descriptor = safe_files.create(fresh)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(file.text)
            os.fchmod(out.fileno(), 0o644)
        fresh.replace(file.path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _content(path: Path) -> str | None:
    """None where nothing is there. Raises `OSError`."""
    try:
        descriptor = safe_files.open_existing(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        return file.read()


def _remove(path: Path) -> None:
    try:
        path.unlink()
        if path.parent.name.endswith(".d") and not any(path.parent.iterdir()):
            path.parent.rmdir()
    except OSError as error:
        raise UnitError(_trouble("removed", path, error)) from None


def _refuse_foreign(path: Path) -> None:
    try:
        content = _content(path)
        if content is not None and not content.startswith(MARK):
            raise UnitError(f"{path} exists and was not written by this command: move it away first")
    except OSError as error:
        raise UnitError(_trouble("read", path, error)) from None


def _trouble(what: str, path: Path, error: OSError) -> str:
    hint = "; run this as root (sudo), or with --user" if isinstance(error, PermissionError) else ""
    return f"{path} cannot be {what}: {error.strerror}{hint}"
