"""Error responses, before a service writes them in its own form."""

from dataclasses import dataclass

LEAKY = "Incorrect: sandbox-key, and the words of the question"
"""The message of injected errors, which must not reach a log.

Real providers repeat the key and the prompt there.
"""


@dataclass(eq=False)
class ApiError(Exception):
    """Becomes an error response.

    `code` and `param` are OpenAI's; `kind` is the response's `type`; where it is None, the service chooses.
    """

    status: int
    code: str | None = None
    param: str | None = None
    message: str = LEAKY
    kind: str | None = None
    retry_after: float | None = None
    injected: bool = False
    """Whether a fault or the budget caused it: the request itself was valid."""
    value: object = None
    """What was refused, where the service quotes it."""

    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.param}: {self.message}"


@dataclass(frozen=True, slots=True)
class Rejection:
    """A request that was refused because it was invalid."""

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
