"""What became of each question of `make soak`, as the person who asked it sees it."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from benchmarks.answers import is_whole
from benchmarks.soak_faults_schedule import Gap
from discordianai.sandbox.discord import Interaction, LocalDiscord
from discordianai.sandbox.discord.sandbox_interaction import ACKNOWLEDGE_WITHIN

IN_FLIGHT = 0.5
"""Seconds before a drop in which an event may have been on its way, or its acknowledgement not yet begun."""

QUIET = 20.0
"""Seconds without a change until an answer counts as its last word."""

WHOLE, PART, LOST = "answered whole", "answered in part, with a note", "LOST"
UNDELIVERED = "not delivered: the gateway session was invalid"
TOO_LATE = "not delivered in time: the gateway was away for longer than three seconds"


@dataclass
class Outcomes:
    """`open` are those without a last word yet, by their tokens."""

    asked: int = 0
    open: dict[str, tuple[str, Interaction]] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    slowest_acknowledgement: float = 0.0

    def add(self, prompt: str, interaction: Interaction) -> None:
        """Somebody has asked."""
        self.asked += 1
        self.open[interaction.token] = (prompt, interaction)

    def settle(self, discord: LocalDiscord, gaps: Iterable[Gap], now: float) -> None:
        """Count what has had its last word; the local Discord forgets it, so that its memory is bounded.

        `now` is on `time.monotonic`.
        """
        for token, (prompt, interaction) in list(self.open.items()):
            changed_lately = interaction.messages and now - interaction.last_edit < QUIET
            if changed_lately or discord.now() - interaction.created < QUIET:
                continue
            outcome = judged(prompt, interaction, gaps)
            if outcome != LOST:
                self._count(outcome, prompt, interaction)
                del self.open[token], discord.interactions[token]

    def give_up(self, gaps: Iterable[Gap]) -> None:
        """Nothing more comes: what has no last word is lost."""
        for prompt, interaction in self.open.values():
            self._count(judged(prompt, interaction, gaps), prompt, interaction)
        self.open.clear()

    def _count(self, outcome: str, prompt: str, interaction: Interaction) -> None:
        self.counts[outcome] += 1
        if interaction.acknowledged_after is not None:
            self.slowest_acknowledgement = max(self.slowest_acknowledgement, interaction.acknowledged_after)
        if outcome == LOST:
            why = f"response {interaction.response_type}, created {interaction.created:.1f}"
            why += f", {interaction.refused_acknowledgements} acknowledgements refused"
            self.lost.append(f"{prompt}: {why}, shown {interaction.text[-300:]!r}")


def judged(prompt: str, interaction: Interaction, gaps: Iterable[Gap]) -> str:
    """One of the words above, or a refusal or an error in its words; `LOST` also for what may still come."""
    text = interaction.text
    if interaction.response_type is None:
        return _unacknowledged(interaction, gaps)
    if interaction.response_type == 4:
        return f"refused: {_sentence(text)}"
    if interaction.loading:
        return LOST
    if "The answer breaks off here." in text:
        return PART
    if "(error " in text:
        return f"told: {_sentence(text)}"
    return WHOLE if is_whole(prompt, text) else LOST


def _unacknowledged(interaction: Interaction, gaps: Iterable[Gap]) -> str:
    for gap in gaps:
        if gap.began - IN_FLIGHT <= interaction.created <= gap.ended:
            if not gap.resumable:
                return UNDELIVERED
            if gap.ended - interaction.created > ACKNOWLEDGE_WITHIN - 1.0:
                return TOO_LATE
    return LOST


def _sentence(text: str) -> str:
    """Without numbers, so that the same refusals count as one."""
    return re.sub(r"\d+", "N", text.strip().splitlines()[-1])
