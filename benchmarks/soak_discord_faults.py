"""What Discord refuses during the soak, one fault after the other, in rotation.

A spell of each lasts some seconds, and is over before the next one begins.
"""

import math
import random
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import trio

from benchmarks.soak_faults import FaultLog, Spell, note_gap
from discordianai.sandbox.discord import CHANNELS, LocalDiscord

LONGEST_SPELL = 8.0
"""Seconds; a heartbeat of `HEARTBEAT_INTERVAL` that is not answered ends a frozen connection within it."""

HEARTBEAT_INTERVAL = 3.0

SPELL_PART = 0.4
"""Of its time in the rotation that a fault lasts; then all is well, and what has waited is made good."""

LONGEST_TURN = LONGEST_SPELL / SPELL_PART
"""Seconds of the rotation that one fault has."""

BANNED = "Cloudflare's ban of the address"
ACKNOWLEDGEMENTS_REFUSED = "acknowledgements refused"
CLOSED = "no permission to write in channels"
NO_FILES = "no permission for files"
GLOBAL_429 = "a global 429 as JSON"
WEBHOOK_ERRORS = "503 for each message"
CHANNEL_ERRORS = "503 for each message in a channel"
NO_REPLIES = "no permission to reply"
AUTOMOD = "messages refused by AutoMod"

WORDS = ("sandbox", "feared", "garden", "quotation", "https://", "You asked")
"""Of answers: in each of them, in their middle, in their sources; AutoMod takes one of them in no message."""

Strike = Callable[[LocalDiscord, random.Random, float], Awaitable[None]]
"""Lets one spell begin, lasts so many seconds, and ends it."""


async def rotate(discord: LocalDiscord, log: FaultLog, seconds: float, seed: int) -> None:
    """Let every fault strike at least once, for so many seconds altogether.

    Where the gateway comes back late, there is less time between the next ones.
    """
    chance = random.Random(f"{seed} rotation")
    faults: Mapping[str, Strike] = FAULTS | {
        f"gateway: {fault}": partial(_gateway, log, fault) for fault in GATEWAY_FAULTS
    }
    each = turn_of_each(seconds, len(faults))
    due = trio.current_time()
    end = due + seconds
    while trio.current_time() < end - each / 2:
        for name, strike in faults.items():
            began, due = discord.now(), due + each
            with trio.CancelScope(shield=True):  # what was begun is ended
                await strike(discord, chance, each * SPELL_PART)
            log.spells.append(Spell(name, began, discord.now()))
            log.counts[name] += 1
            await trio.sleep_until(due)
            if trio.current_time() >= end:
                return


def turn_of_each(seconds: float, number: int) -> float:
    """Seconds of the rotation that each of so many faults has.

    Memory is compared by thirds of the run, so each third has every fault equally often; a run that is too
    short for that has each once.
    """
    rotations = seconds / 3 / (number * LONGEST_TURN)
    if rotations < 0.5:
        return min(LONGEST_TURN, seconds / number)
    return seconds / 3 / (number * math.ceil(rotations))


async def _ban(discord: LocalDiscord, _chance: random.Random, seconds: float) -> None:
    discord.ban(seconds)
    await trio.sleep(seconds)


async def _limit(discord: LocalDiscord, _chance: random.Random, seconds: float) -> None:
    discord.limit_globally(seconds)
    await trio.sleep(seconds)


async def _fail(
    path: str, status: int, discord: LocalDiscord, _chance: random.Random, seconds: float
) -> None:
    discord.fail_next(path, status, 500)
    await trio.sleep(seconds)
    discord.clear_failures()


async def _refuse_some(discord: LocalDiscord, chance: random.Random, seconds: float) -> None:
    """As where Discord knows an interaction no more: nothing can be said in response to it."""
    discord.fail_next("/callback", 404, chance.randint(1, 20))
    await trio.sleep(seconds)
    discord.clear_failures()


async def _block_a_word(discord: LocalDiscord, chance: random.Random, seconds: float) -> None:
    discord.blocked_words = {chance.choice(WORDS)}
    await trio.sleep(seconds)
    discord.blocked_words = set()


async def _take_a_permission(
    name: str, discord: LocalDiscord, _chance: random.Random, seconds: float
) -> None:
    """`name` is the attribute with the channels without it."""
    lacking: set[int] = getattr(discord, name)
    lacking.update(channel.id for channel in CHANNELS)
    discord.permissions_changed()
    await trio.sleep(seconds)
    lacking.clear()
    discord.permissions_changed()


async def _gateway(
    log: FaultLog, fault: str, discord: LocalDiscord, _chance: random.Random, seconds: float
) -> None:
    """Drop the connection; the next ones meet the fault until it is over."""
    began, sessions = discord.now(), set(discord.sessions)
    if fault == INVALIDATED:
        discord.invalidate_sessions()
        await trio.sleep(seconds)
    else:
        discord.break_gateway(fault)
        discord.drop_gateway(resumable=True)
        await trio.sleep(seconds)
        discord.heal_gateway()
    await note_gap(discord, log, began, sessions)


INVALIDATED = "op 9 to every session"
GATEWAY_FAULTS = (
    "session-reconnect",
    INVALIDATED,
    "session-invalid-resumable",
    "session-frozen",
    "session-4000",
    "resume-4009",
    "open-refused",
)
"""Names of `gateway_faults.FAULTS`, and one of this module."""

FAULTS: dict[str, Strike] = {
    BANNED: _ban,
    GLOBAL_429: _limit,
    WEBHOOK_ERRORS: partial(_fail, "/webhooks/", 503),
    CHANNEL_ERRORS: partial(_fail, "/channels/", 503),
    AUTOMOD: _block_a_word,
    NO_FILES: partial(_take_a_permission, "channels_without_files"),
    NO_REPLIES: partial(_take_a_permission, "channels_without_replies"),
    CLOSED: partial(_take_a_permission, "closed_channels"),
    ACKNOWLEDGEMENTS_REFUSED: _refuse_some,
}
"""Each spell of REST's, by the name in the table."""
