"""What is removed together, in steps of a few milliseconds.

Each step runs in a transaction of its own, again and again while it removes as much as it may. What answers
cost stays in the accounts, without the people who are forgotten.
"""

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


def expired(now: float, ttl: float) -> tuple[tuple[Batch, int], ...]:
    """The steps of retention, and how much each removes at most: while it removes that much, there is more.

    `ttl` is in seconds.
    """
    return (
        (turns_table.remove_older(now - ttl), turns_table.STEP),
        (questions_table.remove_done(now), questions_table.STEP),
        (usage_table.anonymise_forgotten(day_of(now)), usage_table.STEP),
    )
