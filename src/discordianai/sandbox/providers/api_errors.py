"""What a service refuses, before it is written as that service writes it."""

from dataclasses import dataclass

LEAKY = "Incorrect: sandbox-key, and the words of the question"
"""The message of errors that were asked for.

Real providers repeat the key and the prompt there: nothing of it may reach a log.
"""


@dataclass(eq=False)
class ApiError(Exception):
    """Becomes an error response.

    `code` and `param` are OpenAI's; `kind` is what stands under `type`. Without it the dialect chooses.
    """

    status: int
    code: str | None = None
    param: str | None = None
    message: str = LEAKY
    kind: str | None = None
    retry_after: float | None = None
    provoked: bool = False
    """By a fault or a budget: the request itself was right."""

    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.param}: {self.message}"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A request that was refused because its client asked wrongly."""

    path: str
    status: int
    code: str | None
    param: str | None


QUOTA_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    }
)
"""Codes that all have the type `insufficient_quota`."""
