"""Puts unit files in place and takes them away again, and touches no file of somebody else."""

import os
from collections.abc import Iterable
from pathlib import Path

from discordianai.operations.units.escaping import UnitError
from discordianai.operations.units.files import MARK, SHARED_UNIT, UnitFile
from discordianai.operations.units.places import Bot


def write(files: Iterable[UnitFile]) -> dict[Path, bool]:
    """Write all or none; for each, whether it changed. Raises `UnitError`."""
    files = tuple(files)
    for file in files:
        _refuse_foreign(file.path)
    return {file.path: _write(file) for file in files}


def remove(bot: Bot) -> list[Path]:
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
    doomed = [path for path in doomed if path.exists()]
    for path in doomed:
        _refuse_foreign(path)
    for path in doomed:
        _remove(path)
    return doomed


def _write(file: UnitFile) -> bool:
    try:
        if file.path.exists() and file.path.read_text(encoding="utf-8") == file.text:
            return False
        file.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        fresh = file.path.with_name(f".{file.path.name}.new")
        fresh.write_text(file.text, encoding="utf-8")
        fresh.chmod(0o644)
        os.replace(fresh, file.path)  # noqa: PTH105  # at once: a manager never reads half a unit
    except OSError as error:
        raise UnitError(_trouble("written", file.path, error)) from None
    return True


def _remove(path: Path) -> None:
    try:
        path.unlink()
        if path.parent.name.endswith(".d") and not any(path.parent.iterdir()):
            path.parent.rmdir()
    except OSError as error:
        raise UnitError(_trouble("removed", path, error)) from None


def _refuse_foreign(path: Path) -> None:
    try:
        if path.exists() and not path.read_text(encoding="utf-8", errors="replace").startswith(MARK):
            raise UnitError(f"{path} is there and was not written by this command: move it away first")
    except OSError as error:
        raise UnitError(_trouble("read", path, error)) from None


def _trouble(what: str, path: Path, error: OSError) -> str:
    hint = "; run this as root (sudo), or with --user" if isinstance(error, PermissionError) else ""
    return f"{path} cannot be {what}: {error.strerror}{hint}"
