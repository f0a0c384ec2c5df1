"""Whether the models in use are listed by their provider, and have a day on which they end."""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime
from difflib import get_close_matches

from discordianai.operations.checks.findings import Finding, problem, warning
from discordianai.providers.model_list import ENDS_SOON, ListedModel

MOST_NAMED = 5


def judge_ends(
    provider: str, in_use: Iterable[str], listed: Iterable[ListedModel], today: date | None = None
) -> Iterator[Finding]:
    """A finding for each model in use that has a `shutdown_date`; a problem if that is soon."""
    today = today or datetime.now(UTC).date()
    ends = {model.id: model.shutdown for model in listed if model.shutdown is not None}
    for model in in_use:
        if (day := ends.get(model)) is None:
            continue
        left = (day - today).days
        when = f"in {left} days, on {day}" if left > 1 else "tomorrow" if left == 1 else f"on {day}"
        verdict = problem if left < ENDS_SOON else warning
        yield verdict(
            f"{provider} model",
            f"{model} is shut down {when}" if left > 0 else f"{model} was to be shut down on {day}",
            f"choose another model in [providers.{provider}] before that",
            model=model,
            day=day.isoformat(),
            days_left=left,
        )


def alternatives(model: str, listed: Collection[ListedModel]) -> str:
    """Models that the provider lists, those with similar names first; empty where it lists none."""
    names = [one.id for one in listed]
    similar = get_close_matches(model, names, MOST_NAMED, 0.5)
    return ", ".join(similar or names[:MOST_NAMED])
