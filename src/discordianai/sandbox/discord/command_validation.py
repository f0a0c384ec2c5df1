"""Discord's checks on the commands that a bot registers."""

import re
from typing import Any

from discordianai.sandbox.discord.api_objects import BOT, Json, Snowflakes
from discordianai.sandbox.discord.sandbox_message import RestError

MAX_COMMANDS = 100
_NAME = re.compile(r"[-_'\w]{1,32}")


def checked(commands: Any, ids: Snowflakes) -> list[Json]:
    """The commands as Discord will list them. Raises `RestError`."""
    if not isinstance(commands, list) or len(commands) > MAX_COMMANDS:
        raise _malformed("0", "name", "Must be a list of at most 100 commands.")
    return [_checked(str(index), command, ids) for index, command in enumerate(commands)]


def _checked(place: str, command: Json, ids: Snowflakes) -> Json:
    kind = command.get("type", 1)
    if kind == 1:
        _check_slash(place, command)
    elif not 1 <= len(command.get("name") or "") <= 32:
        raise _malformed(place, "name", "Must be between 1 and 32 in length.")
    options = [_stored(option) for option in command.get("options") or ()]
    stored = {key: value for key, value in command.items() if value is not None}
    return {
        "name_localizations": None,
        "description_localizations": None,
        "default_member_permissions": None,
        "description": "",
        "nsfw": False,
        "integration_types": [0],
        "contexts": None,
        **stored,
        "id": str(ids.next()),
        "application_id": str(BOT.id),
        "version": str(ids.next()),
        "type": kind,
        **({"options": options} if options else {}),
    }


def _check_slash(place: str, command: Json) -> None:
    name = command.get("name") or ""
    if not _NAME.fullmatch(name) or name != name.lower():
        raise _malformed(place, "name", "Command name is invalid")
    if not 1 <= len(command.get("description") or "") <= 100:
        raise _malformed(place, "description", "Must be between 1 and 100 in length.")
    options = command.get("options") or []
    if len(options) > 25:
        raise _malformed(place, "options", "Must be 25 or fewer in length.")
    required = [bool(option.get("required")) for option in options]
    if required != sorted(required, reverse=True):
        raise _malformed(place, "options", "Required options must be placed before non-required options")
    for option in options:
        if len(option.get("choices") or ()) > 25 or not 1 <= len(option.get("description") or "") <= 100:
            raise _malformed(place, "options", "An option is invalid.")


def _stored(option: Json) -> Json:
    return {key: value for key, value in option.items() if value not in (None, [])}


def _malformed(place: str, name: str, message: str) -> RestError:
    errors = {place: {name: {"_errors": [{"code": "BASE_TYPE_BAD_LENGTH", "message": message}]}}}
    return RestError(400, 50035, "Invalid Form Body", errors)
