"""Reads what a provider says of the tokens that an answer took."""

from discordianai.providers.json_values import Json, count
from discordianai.records import Usage

MOST_TOKENS = 10**7
"""Ten times what a model reads at once. More would use up a person's day, and everybody's minute."""


def usage(counted: Json, asked: str, answered: str) -> Usage | None:
    """Both counts, by their keys, or none: half of it would be taken for all."""
    input_tokens, output_tokens = count(counted, asked), count(counted, answered)
    if input_tokens is None or output_tokens is None or max(input_tokens, output_tokens) > MOST_TOKENS:
        return None
    return Usage(input_tokens, output_tokens)
