"""Whether the models that are set have a day on which they end."""

import re
from collections.abc import Iterable
from urllib.parse import quote

import httpx
import trio

from discordianai.operations.checks.findings import warning
from discordianai.operations.checks.online_check import Tell
from discordianai.providers.endpoint import ProviderEndpoint
from discordianai.providers.errors import ProviderError
from discordianai.providers.json_values import text

SECONDS = 5.0
"""For all of them: informational: its absence is no problem."""


async def tell_of_ends(name: str, endpoint: ProviderEndpoint, models: Iterable[str], tell: Tell) -> None:
    """A warning for each model of the provider `name` that has a `shutdown_date`, as OpenAI lists it."""
    with trio.move_on_after(SECONDS):
        for model in models:
            try:
                day = text(await endpoint.get(f"/models/{quote(model, safe='')}"), "shutdown_date")
            except (httpx.HTTPError, ProviderError):
                return
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", day):
                advice = f"choose another model in [providers.{name}]"
                tell(warning(f"{name} model", f"{model} is shut down on {day}", advice, model=model, day=day))
