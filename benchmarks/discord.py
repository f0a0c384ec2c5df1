"""The installed program before a Discord that is busy: `make bench-discord`.

The bot runs as its own process, and so does the library's stock client; Discord and the providers are the
sandbox's, in this process, and a provider that streams for a minute has a process, too, all on the same
cores. Prints tables.
"""

import argparse
import math
import tempfile
from pathlib import Path
from statistics import median

import trio

from benchmarks.discord_crowd import (
    ALL_ANSWERED,
    AS_SHIPPED,
    UNBOUND,
    Crowd,
    ask_the_bot,
    ask_the_stock_client,
)
from benchmarks.discord_measuring import Settings, busy, heading, row
from benchmarks.discord_streams import settings as settings_of_streams
from benchmarks.discord_streams import stream
from benchmarks.percentiles import percentile
from discordianai.sandbox.certificates import make_authority
from discordianai.sandbox.providers import ServiceOptions

TOKENS_PER_SECOND = 30.0


def crowd(people: int, rounds: int) -> None:
    """Everybody must be answered; beside the stock client, in turn."""
    authority = make_authority()
    stock: list[Crowd] = []
    ours: list[Crowd] = []
    loads = []
    for _ in range(rounds):
        loads.append(busy())
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
            stock.append(trio.run(ask_the_stock_client, Path(one), authority, people))
            ours.append(trio.run(ask_the_bot, Path(other), authority, people, ALL_ANSWERED, UNBOUND))
    heading(f"{people} commands in one moment", "stock client", "the bot", "required")

    for part, name, required in ((0.5, "p50", ""), (0.99, "p99", "< 1.5 s"), (1.0, "max", "")):
        waits = (median(percentile(run.waits, part) for run in runs) for runs in (stock, ours))
        row(f"acknowledged, {name}", *map(_seconds, waits), required)
    row(
        "not acknowledged",
        *(f"{median(run.unacknowledged for run in runs):.0f}" for runs in (stock, ours)),
        0,
    )
    row(
        "acknowledged, p99 of the worst round",
        "",
        _seconds(max(percentile(run.waits, 0.99) for run in ours)),
        "",
    )
    row("not acknowledged, in all rounds", "", sum(run.unacknowledged for run in ours), "")
    answered = sum(run.answered for run in ours)
    row("answered whole, and once", "", f"{answered} of {people * rounds}", "all")
    row("acknowledged, then silent", "", sum(run.silent for run in ours), 0)
    row("unprotected against a crash", "", sum(run.unprotected for run in ours), "")
    row("until all are answered", "", f"{median(run.seconds for run in ours):.1f} s", "")
    row("CPU of the bot's process", "", f"{median(run.cpu for run in ours):.1f} s", "")
    _small_print(ALL_ANSWERED, loads)


def as_shipped(people: int) -> None:
    """With the default settings, nobody may be left without a word."""
    load = busy()
    with tempfile.TemporaryDirectory() as folder:
        run = trio.run(ask_the_bot, Path(folder), make_authority(), people, AS_SHIPPED, ServiceOptions())
    heading(f"{people} commands in one moment, settings as shipped", "people", "required")
    row("answered whole, and once", run.answered, "")
    row("of which by Perplexity, since OpenAI's line was full", run.by_the_other, "")
    for words, count in run.refused.most_common():
        row(f"told: {words.replace(chr(10), ' ')}", count, "")
    row("answered or told", run.answered + run.refused.total(), people)
    row("acknowledged, then silent", run.silent, 0)
    row("not acknowledged", run.unacknowledged, 0)
    row("acknowledged or refused, p99", _seconds(percentile(run.waits, 0.99)), "")
    _small_print(AS_SHIPPED, [load])


def streams(answers: int, seconds: float) -> None:
    """Each at the pace of a fast model."""
    load, tokens = busy(), int(seconds * TOKENS_PER_SECOND)
    with tempfile.TemporaryDirectory() as folder:
        run = trio.run(stream, Path(folder), make_authority(), answers, tokens, TOKENS_PER_SECOND)
    cores = run.cpu.process / run.seconds
    heading(
        f"{answers} answers at {TOKENS_PER_SECOND:.0f} tokens/s for {seconds:.0f} s", "measured", "required"
    )
    row("429s of Discord", run.rate_limited, 0)
    row("shown whole", run.complete, answers)
    for part, name, required in ((0.5, "p50", ""), (0.99, "p99", ""), (1, "max", "<= 3 s")):
        row(f"the screen is behind, {name}", f"{percentile(run.behind, part):.2f} s", required)
    row("CPU of the bot's process", f"{cores:.2f} cores", "< 1.2 cores")
    row("of which the thread that runs trio", f"{run.cpu.first_thread / run.cpu.process:.0%}", "")
    row("CPU per token", f"{run.cpu.process / run.tokens * 1000:.3f} ms", "")
    row("messages written and edited per second", f"{run.edits / run.seconds:.1f}", "")
    row("the provider behind its own pace, max", f"{run.most_behind:.2f} s", "")
    _small_print(settings_of_streams(answers), [load])


def _seconds(wait: float) -> str:
    return "never" if wait == math.inf else f"{wait:.2f} s"


def _small_print(settings: Settings, loads: list[str]) -> None:
    changed = [f"{table}.{key} = {value}" for table, keys in settings.items() for key, value in keys.items()]
    print(f"\nSettings: {', '.join(changed) or 'the defaults'}. Load before: {', '.join(loads)}.", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=500, help="who ask in one moment (500)")
    parser.add_argument("--rounds", type=int, default=3, help="of each of the two clients (3)")
    parser.add_argument("--answers", type=int, default=100, help="that stream at once (100)")
    parser.add_argument("--seconds", type=float, default=60.0, help="that each of them streams (60)")
    parser.add_argument("--only", choices=("crowd", "shipped", "streams"), help="one of the three tables")
    options = parser.parse_args()
    if options.only in {None, "crowd"}:
        crowd(options.people, options.rounds)
    if options.only in {None, "shipped"}:
        as_shipped(options.people)
    if options.only in {None, "streams"}:
        streams(options.answers, options.seconds)


if __name__ == "__main__":
    main()
