"""Where a service manager reads its units, and where the operator puts settings and secrets."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from discordianai.operations.units.escaping import UnitError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,17}")
"""It becomes a part of a user's name, which has at most 31 characters, of a unit's and of a folder's."""


@dataclass(frozen=True, slots=True)
class UnitLocations:
    """The folders of one service manager: the system's, or a user's."""

    units: Path
    configuration: Path
    of_user: bool

    @property
    def systemctl(self) -> str:
        """The `systemctl` command for its manager."""
        return "systemctl --user" if self.of_user else "systemctl"


SYSTEM = UnitLocations(Path("/etc/systemd/system"), Path("/etc/discordianai"), of_user=False)


def places_of_user(environment: Mapping[str, str] = os.environ) -> UnitLocations:
    """The folders of the current user."""
    base = Path(environment.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return UnitLocations(base / "systemd" / "user", base / "discordianai", of_user=True)


@dataclass(frozen=True, slots=True)
class BotService:
    """One bot on this machine: the only one, or one of several that have names. Raises `UnitError`."""

    places: UnitLocations
    name: str | None

    def __post_init__(self) -> None:
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise UnitError(f"--name {self.name!r}: at most 18 of a-z, 0-9, - and _, and no dash or _ first")

    @property
    def unit(self) -> str:
        """The unit's name for systemctl."""
        return f"discordianai@{self.name}.service" if self.name else "discordianai.service"

    @property
    def folder(self) -> Path:
        """The folder of its settings and secrets."""
        return self.places.configuration / self.name if self.name else self.places.configuration

    @property
    def state(self) -> str:
        """The name of its `StateDirectory=`, below the manager's own folder for these."""
        named = f"discordianai-{self.name}" if self.name else "discordianai"
        return f"{named}-state" if self.places.of_user else named

    def secret_file(self, credential: str) -> Path:
        """The file of the secret with that name."""
        return self.folder / credential
