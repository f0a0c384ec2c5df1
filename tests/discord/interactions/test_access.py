"""Who may do what where: the tables of docs/security.md, cell by cell.

What is expected is computed here from the lists alone, in other words than the checks themselves.
"""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discordianai.discord.events.interaction import (
    EventOrigin,
    Lineage,
    Location,
    location,
)
from discordianai.discord.events.permissions import ADMINISTRATOR, MANAGE_MESSAGES
from discordianai.discord.interactions import access
from discordianai.discord.interactions.access import press_refusal, refusal
from discordianai.discord.messages.buttons import Action, Button
from discordianai.discord.options import BotOptions
from discordianai.records import Person
from tests.discord.builders import ANN, origin

ADMIN = Person(id=99, name="Admin")
GUILD, CHANNEL, CATEGORY, THREAD = 5, 1, 20, 30
ABOVE = {CHANNEL: (CHANNEL, CATEGORY), THREAD: (THREAD, CHANNEL, CATEGORY)}

IN_SERVER = origin()
IN_THREAD = origin(channel_id=THREAD)
DIRECT = origin(guild_id=None, channel_id=3)
IN_GROUP = replace(origin(guild_id=None, channel_id=4), as_member=False)
ELSEWHERE = replace(origin(guild_id=6, channel_id=2), as_member=False)
PLACES = (IN_SERVER, IN_THREAD, DIRECT, IN_GROUP, ELSEWHERE)
OUTSIDE = (DIRECT, IN_GROUP, ELSEWHERE)


def rules(**settings: object) -> BotOptions:
    return replace(BotOptions(), **settings)  # type: ignore[arg-type]  # by name


def lineage_of(where: EventOrigin) -> Lineage:
    channel_id = where.place.channel_id
    return Lineage(ABOVE.get(channel_id, (channel_id,)), complete=where.as_member)


def refused(where: EventOrigin, settings: BotOptions) -> str | None:
    return refusal(where, settings, lineage_of(where))


@pytest.mark.parametrize(
    ("settings", "who", "expected"),
    [
        (rules(blocked_user_ids=(ANN.id,)), IN_SERVER, access.BLOCKED),
        (rules(allowed_user_ids=(77,)), IN_SERVER, access.NOT_LISTED),
        (rules(allowed_user_ids=(ANN.id,), blocked_user_ids=(ANN.id,)), IN_SERVER, access.BLOCKED),
        (rules(guild_ids=(6,)), IN_SERVER, access.WRONG_SERVER),
        (rules(blocked_guild_ids=(5,)), IN_SERVER, access.WRONG_SERVER),
        (rules(allowed_channel_ids=(2,)), IN_SERVER, access.WRONG_PLACE),
        (rules(allowed_channel_ids=(CATEGORY,)), IN_SERVER, None),
        (rules(allowed_channel_ids=(CHANNEL,)), IN_THREAD, None),
        (rules(blocked_channel_ids=(CATEGORY,)), IN_THREAD, access.WRONG_PLACE),
        (
            rules(allowed_channel_ids=(CATEGORY,), blocked_channel_ids=(CHANNEL,)),
            IN_SERVER,
            access.WRONG_PLACE,
        ),
        (rules(allowed_role_ids=(7, 8)), replace(IN_SERVER, role_ids=frozenset({8})), None),
        (rules(allowed_role_ids=(7, 8)), IN_SERVER, access.WRONG_ROLE),
        (rules(blocked_role_ids=(8,)), replace(IN_SERVER, role_ids=frozenset({7, 8})), access.BLOCKED),
        (rules(direct_messages=False), IN_SERVER, None),
        (rules(direct_messages=False), DIRECT, access.NO_DIRECT_MESSAGES),
        (rules(direct_messages=False), IN_GROUP, access.NO_GUESTS),
        (rules(direct_messages=False), ELSEWHERE, access.NO_GUESTS),
        (rules(guests=False), DIRECT, None),
        (rules(guests=False), IN_GROUP, access.NO_GUESTS),
        (rules(guests=False), ELSEWHERE, access.NO_GUESTS),
        (rules(blocked_guild_ids=(6,), ignore_lists_outside_servers=True), ELSEWHERE, access.WRONG_SERVER),
        (rules(blocked_channel_ids=(4,), ignore_lists_outside_servers=True), IN_GROUP, access.WRONG_PLACE),
        (rules(guild_ids=(5,), ignore_lists_outside_servers=True), ELSEWHERE, None),
    ],
)
def test_each_list_and_switch_has_its_words(
    settings: BotOptions, who: EventOrigin, expected: str | None
) -> None:
    """A category covers its channels, a channel its threads, and what is blocked is blocked."""
    assert refused(who, settings) == expected


@pytest.mark.parametrize("where", PLACES)
def test_as_shipped_everybody_may_ask_everywhere(where: EventOrigin) -> None:
    """Until the operator names somebody or something."""
    assert refused(where, rules()) is None


RESTRICTIONS = (
    *("guild_ids", "allowed_channel_ids", "allowed_role_ids"),
    *("blocked_guild_ids", "blocked_channel_ids", "blocked_role_ids"),
)


@pytest.mark.parametrize("where", OUTSIDE)
@pytest.mark.parametrize("key", RESTRICTIONS)
def test_no_list_can_be_walked_around_outside_the_servers(key: str, where: EventOrigin) -> None:
    """Nothing there tells whether the person is on it; the operator can say that this does not matter."""
    assert refused(where, rules(**{key: (1234,)})) == access.NOT_VERIFIABLE
    assert refused(where, rules(**{key: (1234,)}, ignore_lists_outside_servers=True)) is None
    assert refused(replace(where, person=ADMIN), rules(**{key: (1234,)}, admin_user_ids=(ADMIN.id,))) is None


@pytest.mark.parametrize("complete", [True, False])
def test_a_channel_that_may_be_in_a_blocked_category_is_refused_until_that_is_known(complete: bool) -> None:
    """Before Discord has told of the server, nobody knows what is above a thread's channel."""
    lineage = Lineage((THREAD, CHANNEL), complete=complete)
    expected = None if complete else access.UNKNOWN_PLACE
    assert refusal(IN_THREAD, rules(blocked_channel_ids=(CATEGORY,)), lineage) == expected
    assert refusal(IN_THREAD, rules(), lineage) is None


IDS = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, ANN.id, CATEGORY, THREAD, ADMIN.id])
LISTS = st.lists(IDS, max_size=3, unique=True).map(tuple)
OPTIONS = st.builds(
    BotOptions,
    **dict.fromkeys((*RESTRICTIONS, "allowed_user_ids", "blocked_user_ids", "admin_user_ids"), LISTS),
    **dict.fromkeys(("direct_messages", "guests", "ignore_lists_outside_servers"), st.booleans()),
)
ROLES = st.frozensets(st.sampled_from([7, 8]))


def may_ask(where: EventOrigin, options: BotOptions) -> bool:
    """As the documentation's table has it."""
    if where.person.id in options.admin_user_ids:
        return True
    above = set(lineage_of(where).ids)
    server = {where.place.guild_id} - {None}
    blocked = (
        where.person.id in options.blocked_user_ids
        or where.role_ids & set(options.blocked_role_ids)
        or server & set(options.blocked_guild_ids)
        or above & set(options.blocked_channel_ids)
    )
    listed = not options.allowed_user_ids or where.person.id in options.allowed_user_ids
    if blocked or not listed:
        return False
    if server and where.as_member:
        return all(
            not wanted or bool(set(wanted) & has)
            for wanted, has in (
                (options.guild_ids, server),
                (options.allowed_channel_ids, above),
                (options.allowed_role_ids, set(where.role_ids)),
            )
        )
    unrestricted = not any(getattr(options, key) for key in RESTRICTIONS)
    open_here = options.direct_messages and (options.guests or where.as_member)
    return open_here and (unrestricted or options.ignore_lists_outside_servers)


@given(st.sampled_from(PLACES), st.sampled_from([ANN, ADMIN]), ROLES, OPTIONS)
def test_every_cell_of_the_table(
    place: EventOrigin, who: Person, roles: frozenset[int], options: BotOptions
) -> None:
    """Whatever the lists are, whoever asks with whatever roles, wherever that is."""
    where = replace(place, person=who, role_ids=roles if place.place.guild_id else frozenset())
    assert (refused(where, options) is None) is may_ask(where, options)


def test_a_group_is_no_direct_message_with_the_bot() -> None:
    """In both the person is in no server."""
    places = [location(where) for where in PLACES]
    assert places == [Location.SERVER, Location.SERVER, *list(Location)[1:]]


BOB = Person(11, "Bob")
RULES = rules(admin_user_ids=(ADMIN.id,))


@pytest.mark.parametrize("action", [*Action, "page", "forget"])
@pytest.mark.parametrize(
    ("who", "keeps_order"),
    [
        (origin(person=BOB), False),
        (origin(person=BOB, permissions=MANAGE_MESSAGES), True),
        (origin(person=BOB, permissions=ADMINISTRATOR), True),
        (origin(person=BOB, permissions=1 << 10), False),
        (origin(person=ADMIN), True),
    ],
)
def test_others_may_stop_an_answer_and_nothing_else(action: str, who: EventOrigin, keeps_order: bool) -> None:
    """What goes on would show what its asker said elsewhere, at the asker's cost."""
    button = Button(action, ANN.id, "1")
    assert press_refusal(origin(), button, RULES) is None
    stops = action == Action.STOP
    words = access.NOT_YOURS_TO_STOP if stops else access.NOT_YOURS
    assert press_refusal(who, button, RULES) == (None if stops and keeps_order else words)
