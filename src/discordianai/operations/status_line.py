"""The bot's status in one line, for `systemctl status`."""

from discordianai.operations.health import judge
from discordianai.operations.snapshot import Snapshot


def status_line(snapshot: Snapshot) -> str:
    """The current figures, problems first."""
    verdict = judge(snapshot)
    parts = ["ready" if verdict.ready else f"not ready: {'; '.join(verdict.reasons)}", *verdict.remarks]
    parts.append(f"{snapshot.questions.open} questions open, {snapshot.questions.answered} answered")
    for provider in snapshot.providers.values():
        dispatch = provider.dispatch
        parts.append(f"{provider.label} {dispatch.in_flight} in flight, {dispatch.waiting} waiting")
    return " · ".join(parts)
