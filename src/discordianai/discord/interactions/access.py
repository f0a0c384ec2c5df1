"""Who may do what where: pure functions that follow the tables in docs/security.md."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from discordianai.discord.events.interaction import EventOrigin, Lineage, Location, location
from discordianai.discord.events.permissions import MANAGE_MESSAGES
from discordianai.discord.messages.buttons import Action, Button
from discordianai.discord.options import BotOptions

BLOCKED = "You can't use this bot here."
NOT_LISTED = "This bot only answers certain people, and you're not on the list."
NO_DIRECT_MESSAGES = "I don't answer direct messages. Please ask me in a server."
NO_GUESTS = "I only answer in servers that I am a member of."
NOT_VERIFIABLE = (
    "I can't tell here whether you may use this bot. Please ask me in a server that I am a member of."
)
WRONG_PLACE = "I don't answer in this channel."
UNKNOWN_PLACE = "I don't know this channel yet. Please try again in a minute."
WRONG_SERVER = "I don't answer in this server."
WRONG_ROLE = "You need another role to use this bot."
NOT_YOURS_TO_STOP = "Only the person who asked, or someone who can manage messages, can use this button."
NOT_YOURS = "Only the person who asked can use this button. Please ask me yourself."


@dataclass(frozen=True, slots=True)
class Access:
    """One use of the bot, which the checks examine one after the other."""

    origin: EventOrigin
    rules: BotOptions
    lineage: Lineage

    @property
    def guild(self) -> frozenset[int]:
        """The server, if it is in one."""
        guild_id = self.origin.place.guild_id
        return frozenset() if guild_id is None else frozenset({guild_id})


def _blocked_person(access: Access) -> str | None:
    rules, origin = access.rules, access.origin
    blocked = origin.person.id in rules.blocked_user_ids or _meets(rules.blocked_role_ids, origin.role_ids)
    return BLOCKED if blocked else None


def _unlisted_person(access: Access) -> str | None:
    return None if _allows(access.rules.allowed_user_ids, {access.origin.person.id}) else NOT_LISTED


def _blocked_server(access: Access) -> str | None:
    return WRONG_SERVER if _meets(access.rules.blocked_guild_ids, access.guild) else None


def _unlisted_server(access: Access) -> str | None:
    return None if _allows(access.rules.guild_ids, access.guild) else WRONG_SERVER


def _blocked_channel(access: Access) -> str | None:
    return WRONG_PLACE if _meets(access.rules.blocked_channel_ids, access.lineage.ids) else None


def _unknown_channel(access: Access) -> str | None:
    """Something unknown above the channel may be blocked."""
    return UNKNOWN_PLACE if access.rules.blocked_channel_ids and not access.lineage.complete else None


def _unlisted_channel(access: Access) -> str | None:
    return None if _allows(access.rules.allowed_channel_ids, access.lineage.ids) else WRONG_PLACE


def _without_role(access: Access) -> str | None:
    return None if _allows(access.rules.allowed_role_ids, access.origin.role_ids) else WRONG_ROLE


def _direct_messages_off(access: Access) -> str | None:
    return None if access.rules.direct_messages else NO_DIRECT_MESSAGES


def _guests_off(access: Access) -> str | None:
    """Without this, people who may not write to the bot directly would do so from a server of their own."""
    return None if access.rules.guests and access.rules.direct_messages else NO_GUESTS


def _not_verifiable(access: Access) -> str | None:
    rules = access.rules
    return NOT_VERIFIABLE if restricts_servers(rules) and not rules.ignore_lists_outside_servers else None


Check = Callable[[Access], str | None]
"""Why something is refused, in words for the person; None if this check has no objection."""

ANYWHERE: tuple[Check, ...] = (_blocked_person, _unlisted_person, _blocked_server, _blocked_channel)
CHECKS: Mapping[Location, tuple[Check, ...]] = {
    Location.SERVER: (*ANYWHERE, _unlisted_server, _unlisted_channel, _unknown_channel, _without_role),
    Location.DIRECT_MESSAGE: (*ANYWHERE, _direct_messages_off, _not_verifiable),
    Location.GROUP_DM: (*ANYWHERE, _guests_off, _not_verifiable),
    Location.OTHER_SERVER: (*ANYWHERE, _guests_off, _not_verifiable),
}
"""The checks, in this order; the person is told the first reason."""


def refusal(origin: EventOrigin, rules: BotOptions, lineage: Lineage) -> str | None:
    """Why this person may not use the bot here, in words for them; None when they may. Admins always may.

    It applies to commands, menus, buttons, forms, suggestions and mentions, but not to what a person does
    with their own data: see `Declaration.own_data`.
    """
    if is_admin(origin, rules):
        return None
    access = Access(origin, rules, lineage)
    return next((reason for check in CHECKS[location(origin)] if (reason := check(access))), None)


def restricts_servers(rules: BotOptions) -> bool:
    """Whether a list names servers, channels or roles.

    Outside the bot's servers nobody can tell whether somebody is on such a list.
    """
    return any(
        (
            *(rules.guild_ids, rules.allowed_channel_ids, rules.allowed_role_ids),
            *(rules.blocked_guild_ids, rules.blocked_channel_ids, rules.blocked_role_ids),
        )
    )


def is_admin(origin: EventOrigin, rules: BotOptions) -> bool:
    """Whether the operator has named this person as one."""
    return origin.person.id in rules.admin_user_ids


def press_refusal(origin: EventOrigin, button: Button, rules: BotOptions) -> str | None:
    """Why this person may not press a button, in words for them; None when they may.

    Admins, and whoever may manage messages, may stop other people's answers. Nobody else may continue one:
    that would show them what the asker said elsewhere, at the asker's cost.
    """
    if origin.person.id == button.person_id:
        return None
    if button.action != Action.STOP:
        return NOT_YOURS
    return None if is_admin(origin, rules) or origin.may(MANAGE_MESSAGES) else NOT_YOURS_TO_STOP


def _allows(listed: Collection[int], held: Collection[int]) -> bool:
    """An empty list allows everybody."""
    return not listed or _meets(listed, held)


def _meets(listed: Collection[int], held: Collection[int]) -> bool:
    return not set(listed).isdisjoint(held)
