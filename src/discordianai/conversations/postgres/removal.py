"""What is removed together, in steps of a few milliseconds.

Each step runs in a transaction of its own, again and again while it removes as much as it may. What answers
cost stays in the accounts, without the people who are forgotten.
"""

from collections.abc import Sequence

from discordianai.conversations.accounting import day_of
from discordianai.conversations.postgres import channels_table, questions_table, turns_table, usage_table
from discordianai.conversations.postgres.batches import Batch


def rest_of_person(person_id: int, now: float) -> Batch:
    """Beside turns: open questions, what is set for direct messages, and the name on what answers cost."""
    values = {"person_id": person_id, "people": [person_id], "now": now, "today": day_of(now)}
    forgetting = questions_table.forgetting("person_id = %(person_id)s")
    return Batch(
        (
            (f"WITH answering AS ({forgetting} RETURNING 1) {usage_table.FORGET_LATER}", values),
            (channels_table.FORGET_PERSON, values),
            (usage_table.ANONYMISE, values),
            (channels_table.COUNT_CHANGE, {}),
        )
    )


def rest_of_guild(guild_id: int, now: float) -> Batch:
    """Beside turns: open questions, what is set for its channels, and the server unless the bot is there."""
    values = {"guild_id": guild_id, "now": now}
    return Batch(
        (
            (questions_table.forgetting("guild_id = %(guild_id)s"), values),
            (channels_table.FORGET_GUILD, values),
            (channels_table.FORGET_LEFT_GUILD, values),
            (channels_table.COUNT_CHANGE, {}),
        )
    )


def rest_of_channel(channel_id: int, now: float) -> Batch:
    """Beside turns: open questions."""
    forgetting = questions_table.forgetting("channel_id = %(channel_id)s")
    return Batch(((forgetting, {"channel_id": channel_id, "now": now}),))


def rest_of_older(than: float, now: float) -> Batch:
    """Beside turns: questions that have been open since before that time."""
    forgetting = questions_table.forgetting("acknowledged_at < %(than)s")
    return Batch(((forgetting, {"than": than, "now": now}),))


def rest_of_everybody(now: float) -> Batch:
    """Beside turns and sums: open questions, and what is set for direct messages."""
    return Batch(
        (
            (questions_table.forgetting("true"), {"now": now}),
            (channels_table.FORGET_PEOPLE, {}),
            (channels_table.COUNT_CHANGE, {}),
        )
    )


def sums_of(people: Sequence[int], now: float) -> Batch:
    """The names on what answers cost; today's when the day is over."""
    values = {"people": list(people), "today": day_of(now)}
    return Batch(((usage_table.FORGET_PEOPLE_LATER, values), (usage_table.ANONYMISE, values)))


def expired(now: float, ttl: float) -> tuple[tuple[Batch, int], ...]:
    """The steps of retention, and how much each removes at most: while it removes that much, there is more.

    `ttl` is in seconds.
    """
    return (
        (turns_table.remove_expired(now, ttl), turns_table.STEP),
        (questions_table.remove_done(now), questions_table.STEP),
        (usage_table.anonymise_forgotten(day_of(now)), usage_table.STEP),
    )
