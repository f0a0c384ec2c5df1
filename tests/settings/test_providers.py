"""`[providers.NAME]`: what is said of one, what follows from it, and which of it is a mistake."""

import os
from pathlib import Path

import pytest

from discordianai.records import Dialect, Provider, WebSearch
from discordianai.settings.document import SettingsError
from discordianai.settings.file import examine, load
from discordianai.settings.secret_sources import SecretSource, key_of
from discordianai.settings.tables import Settings
from tests.known_providers import FOREIGN, OPENAI, PERPLEXITY

BOTH = {"DISCORD_TOKEN": "token", "OPENAI_API_KEY": "key", "PERPLEXITY_API_KEY": "key"}
LOCAL = '[providers.local-llm]\nbase_url = "http://127.0.0.1:11434/v1"\nmodel = "llama"\n'


def read(folder: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, BOTH if environment is None else environment)


def problems(folder: Path, text: str, environment: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        read(folder, text, environment)
    return caught.value.problems


def test_the_two_that_are_known_need_a_key_alone(tmp_path: Path) -> None:
    """Who they are, what they can do and what they are asked for stands in the defaults."""
    settings = read(tmp_path, "")
    assert settings.configured == (OPENAI, PERPLEXITY)
    openai, perplexity = (settings.provider(name) for name in ("openai", "perplexity"))
    assert (openai.usual_model, openai.verbosity, openai.read_timeout) == ("gpt-6-luna", "low", 45.0)
    assert (perplexity.usual_model, perplexity.verbosity, perplexity.read_timeout) == ("fast", None, 60.0)
    assert settings.rate_limit("perplexity").burst == 1


def test_a_further_provider_needs_settings_alone(tmp_path: Path) -> None:
    """One that nobody has heard of has a record, a pool, limits, models and a key, by its name."""
    settings = read(
        tmp_path,
        f"{LOCAL}more_models = ['mistral']\n[rate_limits.local-llm]\nrequests_per_minute = 7",
        {**BOTH, "LOCAL_LLM_API_KEY": "mine"},
    )
    local = settings.configured[-1]
    assert local == Provider("local-llm", "Local Llm", Dialect.CHAT, WebSearch.NEVER)
    options = settings.provider("local-llm")
    assert options.base_url == "http://127.0.0.1:11434/v1"
    assert options.api_key is not None
    assert options.api_key.get_secret_value() == "mine"
    assert settings.models_by_provider[local] == ("llama", "mistral")
    assert (
        settings.pool("local-llm").max_connections,
        settings.pool("local-llm").max_keepalive,
    ) == (
        20,
        5,
    )
    assert settings.rate_limit("local-llm").requests_per_minute == 7
    assert settings.rate_limit("local-llm").tokens_per_minute is None


def test_a_further_provider_is_enough_and_needs_no_key(tmp_path: Path) -> None:
    """An endpoint on the own machine wants none."""
    settings = read(tmp_path, LOCAL, {"DISCORD_TOKEN": "token"})
    assert [provider.name for provider in settings.configured] == ["local-llm"]
    assert settings.provider("local-llm").api_key is None


def test_further_providers_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    """The order is who is asked first, and what people are offered first."""
    text = "".join(
        f'[providers.{name}]\nbase_url = "http://x"\nmodel = "{name}"\n' for name in ("zoo", "ant")
    )
    names = [provider.name for provider in read(tmp_path, text).configured]
    assert names == ["openai", "perplexity", "zoo", "ant"]


@pytest.mark.parametrize("name", ["json", "copy", "model-fields", "a" * 40])
def test_a_name_may_be_any_word(tmp_path: Path, name: str) -> None:
    """Also one that the records of the settings use for something of their own."""
    text = (
        f'[providers.{name}]\nbase_url = "http://x"\nmodel = "m"\n'
        f"[connection_pool.{name}]\nmax_connections = 3\n[rate_limits.{name}]\nrequests_per_minute = 4"
    )
    settings = read(tmp_path, text)
    assert settings.record(name).name == name
    assert settings.pool(name).max_connections == 3
    assert settings.rate_limit(name).requests_per_minute == 4


def test_the_dialect_goes_by_the_host_unless_it_is_said(tmp_path: Path) -> None:
    """Nothing is probed."""
    elsewhere = '[providers.openai]\nbase_url = "https://proxy.example/v1"\n'
    assert read(tmp_path, elsewhere).record("openai").dialect is Dialect.CHAT
    said = read(tmp_path, f'{elsewhere}dialect = "responses"').record("openai")
    assert said.dialect is Dialect.RESPONSES
    assert said.searches


def test_a_default_is_not_sent_to_a_dialect_that_may_not_know_it(tmp_path: Path) -> None:
    """Verbosity is low by default at OpenAI's own interface; elsewhere only where it is written."""
    elsewhere = '[providers.openai]\nbase_url = "https://proxy.example/v1"\n'
    assert read(tmp_path, elsewhere).provider("openai").verbosity is None
    assert read(tmp_path, f'{elsewhere}verbosity = "low"').provider("openai").verbosity == "low"


def test_what_a_provider_can_do_may_be_said(tmp_path: Path) -> None:
    """What the operator says counts more than the dialect."""
    foreign = '[providers.foreign]\nbase_url = "http://x"\nmodel = "m"\n'
    assert read(tmp_path, foreign).record("foreign") == FOREIGN
    told = read(tmp_path, f"{foreign}web_search = true\nimages = false\ntools = false\nlabel = 'Ours'")
    assert told.record("foreign") == Provider(
        "foreign", "Ours", Dialect.CHAT, WebSearch.ALWAYS, images=False, tools=False
    )
    less = read(tmp_path, "[providers.openai]\nweb_search = false\nfiles = false").record("openai")
    assert not less.searches
    assert not less.files


def test_a_model_counts_more_than_the_preset(tmp_path: Path) -> None:
    """So the line with the preset may stay."""
    text = '[providers.perplexity]\npreset = "high"\nmore_models = ["low"]\n'
    assert read(tmp_path, text).provider("perplexity").all_models == ("high", "low")
    settings = read(tmp_path, f'{text}model = "perplexity/sonar"')
    assert settings.provider("perplexity").all_models == ("perplexity/sonar", "low")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[openai]\nmodel = 'x'", "openai: [openai] is now [providers.openai]"),
        ("[perplexity]", "perplexity: [perplexity] is now [providers.perplexity]"),
        ("[providers.user]\nbase_url = 'http://x'\nmodel = 'm'", "providers.user: 'user' cannot be used: "),
        ("[providers.Big]\nbase_url = 'http://x'\nmodel = 'm'", "providers.Big: 'Big' cannot be used: "),
        ("[providers.a_b]\nbase_url = 'http://x'\nmodel = 'm'", "beginning with a letter"),
        ("[providers.3]\nbase_url = 'http://x'\nmodel = 'm'", "beginning with a letter"),
        ("[providers.x]\nmodel = 'm'", "providers.x.base_url: missing; [providers.x] needs it"),
        ("[providers.opnai]\nmodel = 'm'", "did you mean [providers.openai]?"),
        ("[providers.x]\nbase_url = 'http://x'", "providers.x.model: missing; [providers.x] needs it"),
        (
            "[providers.x]\nbase_url = 'http://x'\ndialect = 'agent'",
            "providers.x.model: missing; [providers.x] needs it, or a preset",
        ),
        ("[providers.perplexity]\npreset = 'slow'", "preset: 'slow' cannot be used: should be 'fast', 'low'"),
        (
            "[providers.perplexity]\nmodel = 'sonar-pro'",
            "model: 'sonar-pro' cannot be used: should be a preset, or a model with its maker",
        ),
        ("[providers.perplexity]\nmore_models = ['low', 'sonar']", "should be a preset, or a model with its"),
        ("[providers.openai]\ndialect = 'agent'", "model: 'gpt-6-luna' cannot be used: should be a preset"),
        (
            "[providers.openai]\nbase_url = 'https://api.openai.com/v1/chat/completions/'",
            "should end before /chat/completions, which the bot adds itself",
        ),
        ("[providers.x]\nbase_url = 'http://x/v1/responses'\nmodel = 'm'", "should end before /responses"),
        ("[providers.perplexity]\nbase_url = 'https://p.x/v1/agent'", "should end before /v1/agent"),
        (
            "[connection_pool]\nmax_connections = 5",
            "connection_pool.max_connections: no such key; it belongs in [connection_pool.openai] or",
        ),
        (
            "[rate_limits]\nrequests_per_minute = 5",
            "rate_limits.requests_per_minute: no such key; it belongs",
        ),
        (
            "[rate_limits]\nany_thing = 5",
            "rate_limits.any_thing: 'any_thing' cannot be used: should be named",
        ),
        (
            "[providers.openai]\nmodel = 5",
            "model: 5 cannot be used: should be text in quotes (the default is",
        ),
        ("[providers.openai]\nmodel = ''", "model: '' cannot be used: should not be empty"),
        ("[providers.openai]\nmore_models = 'x'", "should be a list in square brackets"),
        ("[providers.openai]\nimages = 1", "images: 1 cannot be used: should be true or false"),
        ("[providers.openai]\nread_timeout = 'long'", "should be a number (the default is 45.0)"),
        ("[providers.openai]\nread_timeout = 0", "should be more than 0 (the default is 45.0)"),
        ("[providers.openai]\nmax_answer_tokens = 15", "15 cannot be used: should be at least 16"),
        ("[connection_pool.openai]\nmax_connections = 1001", "should be at most 1000 (the default is 50)"),
        ("[rate_limits.openai]\ntokens_per_minute = 1.5", "1.5 cannot be used: should be a whole number"),
        (
            "[providers.openai]\npreset = 'fast'",
            "providers.openai.preset: 'fast' cannot be used: should be left out: "
            "the dialect here is responses, and this is for agent alone",
        ),
        ("[providers.perplexity]\nverbosity = 'low'", "this is for responses and chat alone"),
        ("[providers.perplexity]\ntools = true", "this is for responses and chat alone"),
        ("[providers.perplexity]\nweb_search = false", "this is for responses and chat alone"),
        ("[providers.perplexity]\nfiles = true", "this is for responses alone"),
        (
            "[providers.perplexity]\ndialect = 'chat'",
            "providers.perplexity.model: missing; [providers.perplexity] needs it",
        ),
        ("[providers.openai]\ndialect = 'completions'", "should be 'auto', 'responses', 'agent' or 'chat'"),
        ('[providers.openai]\nlabel = "two\\nlines"', "providers.openai.label: "),
        (
            "[connection_pool.x]\nmax_connections = 3",
            "connection_pool.x: should have the name of a provider, and there is no [providers.x]",
        ),
        ("[rate_limits.x]", "rate_limits.x: should have the name of a provider"),
        (
            "[routing]\nstrategy = 'x'",
            "routing.strategy: 'x' cannot be used: should be a strategy or the name of a provider",
        ),
        (
            "[routing]\nfallback = ['openai', 'x']",
            "routing.fallback: 'x' cannot be used: should have the names of providers",
        ),
        (
            "[routing]\nfallback = ['openai', 'openai']",
            "routing.fallback: 'openai, openai' cannot be used: should name each provider once",
        ),
    ],
)
def test_a_mistake_is_told_in_words(tmp_path: Path, text: str, said: str) -> None:
    """One sentence, which begins with the path of what is wrong."""
    (told,) = problems(tmp_path, text)
    assert said in told
    assert "did you mean" not in told or "opnai" in told


def test_a_strategy_that_nobody_can_follow_is_a_mistake(tmp_path: Path) -> None:
    """It names a provider that has no key."""
    (told,) = problems(
        tmp_path, "[routing]\nstrategy = 'perplexity'", {"DISCORD_TOKEN": "token", "OPENAI_API_KEY": "key"}
    )
    assert told.startswith("routing.strategy: perplexity is not set up; set PERPLEXITY_API_KEY")
    local = read(tmp_path, f"{LOCAL}[routing]\nstrategy = 'local-llm'", {"DISCORD_TOKEN": "token"})
    assert local.routing.strategy == "local-llm"


def test_the_key_of_a_further_provider_is_looked_for_where_keys_are(tmp_path: Path) -> None:
    """A credential counts more than the environment, and that more than the file."""
    (tmp_path / "local-llm-api-key").write_text("from-credential\n")
    path = tmp_path / "settings.toml"
    path.write_text(f"{LOCAL}api_key = 'from-file'")
    environment = {
        **BOTH,
        "LOCAL_LLM_API_KEY": "from-environment",
        "CREDENTIALS_DIRECTORY": os.fspath(tmp_path),
    }
    reading = examine(path, environment)
    assert reading.settings is not None
    assert reading.origins[key_of("local-llm")] == (
        SecretSource.CREDENTIAL,
        SecretSource.ENVIRONMENT,
        SecretSource.FILE,
    )
    key = reading.settings.provider("local-llm").api_key
    assert key is not None
    assert key.get_secret_value() == "from-credential"


def test_a_name_that_leads_out_of_the_folder_of_credentials_leads_nowhere(tmp_path: Path) -> None:
    """What is read as a key would be sent to whoever the table names."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    (tmp_path / "other-api-key").write_text("stolen")
    path = tmp_path / "settings.toml"
    path.write_text('[providers."../other"]\nbase_url = "http://x"\nmodel = "m"')
    reading = examine(path, {**BOTH, "CREDENTIALS_DIRECTORY": os.fspath(folder)})
    assert reading.settings is None
    assert [secret.provider for secret in reading.origins] == ["", "openai", "perplexity"]
