"""A secret that belongs elsewhere is told from the right one before anybody is asked."""

import base64
from pathlib import Path

import pytest

from discordianai.settings.document import SettingsError
from discordianai.settings.file import load
from discordianai.settings.secret_kinds import wrong_key, wrong_token

TOKEN = f"{base64.b64encode(b'1234567890123456789').decode().rstrip('=')}.GabcDE.{'x' * 38}"
"""Of the shape of a bot's token: the id of the application, a time and a signature."""

OPENAI, PERPLEXITY = "https://api.openai.com/v1", "https://api.perplexity.ai"


@pytest.mark.parametrize("value", [TOKEN, "a-secret-token", "x.y.z"])
def test_what_may_be_a_token_is_left_to_discord(value: str) -> None:
    """A rule that refused a real token would keep its bot from ever starting."""
    assert wrong_token(value) is None


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("aB3_-" * 6 + "xy", "the application's client secret"),
        ("aB3xZ" * 6, "an OAuth2 access token"),
        ("0123456789abcdef" * 4, "the application's public key"),
        ("123456789012345678", "an id"),
        ("https://discord.com/api/webhooks/1/abc", "an address"),
        ("sk-proj-abc", "an OpenAI key"),
        ("pplx-abc", "a Perplexity key"),
    ],
)
def test_what_is_no_token_is_named_with_where_the_token_is(value: str, kind: str) -> None:
    """Discord's pages show several secrets, and only one is the token."""
    told = wrong_token(value)
    assert told is not None
    assert kind in told
    assert "page Bot" in told


@pytest.mark.parametrize(
    ("value", "url", "kind"),
    [
        ("pplx-abc", OPENAI, "a Perplexity key"),
        ("sk-ant-abc", OPENAI, "an Anthropic key"),
        ("sk-or-v1-abc", OPENAI, "an OpenRouter key"),
        ("sk-proj-abc", PERPLEXITY, "an OpenAI key"),
        (TOKEN, OPENAI, "a Discord bot's token"),
        (TOKEN, "https://llm.example/v1", "a Discord bot's token"),
    ],
)
def test_another_service_s_key_is_named(value: str, url: str, kind: str) -> None:
    """It would be sent to a service that must not see it, and be refused there."""
    told = wrong_key(value, url)
    assert told is not None
    assert kind in told


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("sk-proj-abc", OPENAI),
        ("sk-proj-abc", "https://eu.api.openai.com/v1"),
        ("pplx-abc", PERPLEXITY),
        ("sk-or-v1-abc", "https://openrouter.ai/api/v1"),
        ("pplx-abc", "https://proxy.example/v1"),
        ("sk-abc", "https://notperplexity.ai"),
    ],
)
def test_a_key_that_may_be_right_is_left_to_the_service(value: str, url: str) -> None:
    """Gateways accept keys of any shape."""
    assert wrong_key(value, url) is None


def test_each_is_among_the_problems_of_the_settings_and_never_shown(tmp_path: Path) -> None:
    """The sentence names the key, and repeats no secret."""
    (tmp_path / "settings.toml").write_text("")
    environment = {"DISCORD_TOKEN": "pplx-secret", "OPENAI_API_KEY": TOKEN}
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "settings.toml", environment)
    token, key = caught.value.problems
    assert token.startswith("discord.token: this is a Perplexity key, not the bot's token")
    assert key.startswith("providers.openai.api_key: this is a Discord bot's token")
    assert "secret" not in token
    assert TOKEN not in key
