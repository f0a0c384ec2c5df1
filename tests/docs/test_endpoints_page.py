"""docs/endpoints.md: each table of settings answers, at a double of the endpoint that it is for."""

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from discordianai.providers.client import make_provider
from discordianai.providers.port import TextDelta
from discordianai.records import ChatRequest, Role, Turn
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.launcher import ENDPOINTS
from discordianai.sandbox.providers import FAMILIES, ServiceOptions, open_endpoints
from discordianai.settings.file import load
from discordianai.transport import MultiplexedTransport
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "endpoints.md").read_text(encoding="utf-8")
TABLES = {
    re.search(r"\[providers\.([a-z0-9-]+)\]", block)[1]: block  # type: ignore[index]  # each has its name
    for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
}
KEYS = {"DISCORD_TOKEN": "token", "OPENAI_API_KEY": "key"}


def test_every_endpoint_of_the_sandbox_has_its_section() -> None:
    """Under its label, and by the name that `--endpoint` takes."""
    assert TABLES.keys() == FAMILIES.keys()
    sections = set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE))
    assert {"OpenAI", "Perplexity", *(family.label for family in FAMILIES.values())} <= sections
    named = set(re.findall(r"`([a-z.-]+)`", PAGE.partition("The names are")[2].partition("\n\n")[0]))
    assert {name.replace(".", "-") for name in named} == set(ENDPOINTS)


@pytest.mark.parametrize("name", FAMILIES)
async def test_the_settings_on_the_page_work(authority: Authority, tmp_path: Path, name: str) -> None:
    """The first question is answered, and the second costs one request."""
    path = tmp_path / "settings.toml"
    path.write_text(TABLES[name], encoding="utf-8")
    settings = load(path, KEYS)
    written = settings.provider(name)
    family = FAMILIES[name]
    assert urlsplit(written.base_url).path == family.base_path
    fast = ServiceOptions(first_token=0.0, between_tokens=0.0)
    transport = MultiplexedTransport(ssl_context=authority.client_context())
    async with (
        open_endpoints(authority, [name], fast) as services,
        httpx.AsyncClient(transport=transport) as client,
    ):
        service = services[name]
        options = replace(written, base_url=service.url, api_key=SecretStr("sandbox-key"))
        asked = make_provider(client, settings.record(name), options)
        for _ in range(2):
            before = service.asked
            turns = (Turn(Role.USER, "why?"),)
            async with asked.stream(ChatRequest(asked.model, turns, "Be brief.", number=1)) as events:
                assert any([isinstance(event, TextDelta) async for event in events])
        assert service.asked == before + 1
        takes_images = options.model not in family.without_images
        assert settings.record(name).images is takes_images, "what it cannot take is not sent"
