"""config.ini to settings.toml: what comes over, what cannot, and that the result can always be used."""

import configparser
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from discordianai.cli.main import main
from discordianai.legacy_import import Migration, migrate, reading
from discordianai.legacy_import.legacy_keys import NO_COUNTERPART, RULES
from discordianai.settings.document import SettingsError
from discordianai.settings.file import load
from discordianai.settings.secret_sources import secrets_of
from discordianai.settings.tables import Settings
from tests.examples import examples

KEYS = {"DISCORD_TOKEN": "token", "OPENAI_API_KEY": "key"}

WHOLE = """\
# a bot's whole configuration
[Discord]
DISCORD_TOKEN = MTIz.token
ALLOWED_CHANNELS = 123456789012345678
ALLOWED_CHANNEL_IDS = 223456789012345678, 323456789012345678
BOT_PRESENCE = idle
ACTIVITY_TYPE = Listening
ACTIVITY_STATUS = the door

[Default]
OPENAI_API_KEY = sk-openai
OPENAI_API_URL = https://proxy.example/v1/
GPT_MODEL = gpt-5
PERPLEXITY_API_KEY = pplx-perplexity
PERPLEXITY_API_URL = https://perplexity.example
PERPLEXITY_MODEL = sonar
INPUT_TOKENS = 120000
OUTPUT_TOKENS = 7000
CONTEXT_WINDOW = 128000
SYSTEM_MESSAGE = Be "brief", 100%% of the time; say #1 thing.
    And mean it: C:\\temp, 日本.

[Limits]
RATE_LIMIT = 3
RATE_LIMIT_PER = 30

[ConnectionPool]
OPENAI_MAX_CONNECTIONS = 40
OPENAI_MAX_KEEPALIVE = 8
PERPLEXITY_MAX_CONNECTIONS = 20
PERPLEXITY_MAX_KEEPALIVE = 4

[Orchestrator]
LOOKBACK_MESSAGES_FOR_CONSISTENCY = 6
MAX_HISTORY_PER_USER = 33
USER_LOCK_CLEANUP_INTERVAL = 3600
ENTITY_DETECTION_MIN_WORDS = 10

[Logging]
LOG_FILE = bot.log
LOG_LEVEL = debug

[Health]
HEALTH_ENABLED = true
HEALTH_HOST = 127.0.0.2
HEALTH_PORT = 9090
"""


def convert(folder: Path, text: str, *, with_secrets: bool = False) -> tuple[Settings, Migration]:
    """Migrate `text`, and load what comes of it."""
    old = folder / "config.ini"
    old.write_text(text, encoding="utf-8")
    made = migrate(old, with_secrets=with_secrets)
    new = folder / "settings.toml"
    new.write_text(made.settings, encoding="utf-8")
    return load(new, {} if with_secrets else KEYS), made


def remark(made: Migration, key: str) -> str:
    """The one remark about `key`."""
    (found,) = [line for line in made.remarks if line.startswith(f"{key}: ")]
    return found


def test_every_key_with_a_counterpart_comes_over(tmp_path: Path) -> None:
    new, made = convert(tmp_path, WHOLE)
    assert new.discord.allowed_channel_ids == (123456789012345678, 223456789012345678, 323456789012345678)
    openai, perplexity = new.providers.openai, new.providers.perplexity
    assert (openai.base_url, openai.model) == ("https://proxy.example/v1", "gpt-5")
    assert (perplexity.base_url, perplexity.usual_model) == ("https://api.perplexity.ai", "fast")
    assert openai.max_answer_tokens == perplexity.max_answer_tokens == 7000
    assert new.assistant.instructions == (
        'Be "brief", 100% of the time; say #1 thing.\nAnd mean it: C:\\temp, 日本.'
    )
    assert (new.rate_limits.user.questions, new.rate_limits.user.per_seconds) == (3, 30)
    pools = new.connection_pool
    assert (pools.openai.max_connections, pools.openai.max_keepalive) == (40, 8)
    assert (pools.perplexity.max_connections, pools.perplexity.max_keepalive) == (20, 4)
    assert new.conversations.max_turns == 33
    assert new.logging.level == "DEBUG"
    discord = new.discord
    assert (discord.status, discord.presence_kind, discord.presence) == ("idle", "listening", "the door")
    assert (new.operations.host, new.operations.port) == ("127.0.0.2", 9090)
    told = {line.partition(":")[0] for line in made.remarks}
    assert told == {
        *("DISCORD_TOKEN", "OPENAI_API_KEY", "PERPLEXITY_API_KEY"),
        *("GPT_MODEL", "PERPLEXITY_MODEL", "PERPLEXITY_API_URL"),
        *("INPUT_TOKENS", "CONTEXT_WINDOW", "LOG_FILE"),
        *("LOOKBACK_MESSAGES_FOR_CONSISTENCY", "USER_LOCK_CLEANUP_INTERVAL", "ENTITY_DETECTION_MIN_WORDS"),
    }


@pytest.mark.parametrize(
    ("model", "preset", "told"),
    [
        ("sonar-pro", "low", "sonar-pro no longer exists; the preset low replaces it"),
        ("sonar-deep-research", "high", "sonar-deep-research no longer exists"),
        ("llama-3.1-sonar-large", "fast", "that model is gone; see preset and model"),
    ],
)
def test_a_model_that_is_gone_becomes_the_preset_in_its_place(
    tmp_path: Path, model: str, preset: str, told: str
) -> None:
    """The interface that had it has ended."""
    new, made = convert(tmp_path, f"[Default]\nPERPLEXITY_MODEL = {model}\n")
    assert new.providers.perplexity.usual_model == preset
    assert told in remark(made, "PERPLEXITY_MODEL")


@pytest.mark.parametrize(("model", "day"), [("gpt-5-mini", "2026-12-11"), ("gpt-4o", "2027-01-14")])
def test_a_model_that_is_about_to_end_is_told_with_its_last_day(tmp_path: Path, model: str, day: str) -> None:
    """It is taken over all the same: it answers until then, and elsewhere perhaps for longer."""
    new, made = convert(tmp_path, f"[Default]\nGPT_MODEL = {model}\n")
    assert new.providers.openai.model == model
    assert remark(made, "GPT_MODEL").endswith(
        f"OpenAI shuts {model} down on {day}; without the line, gpt-6-luna answers"
    )
    assert not any(
        "GPT_MODEL" in said for said in convert(tmp_path, "[Default]\nGPT_MODEL = gpt-6-luna\n")[1].remarks
    )


def test_each_line_says_where_it_comes_from(tmp_path: Path) -> None:
    _, made = convert(tmp_path, WHOLE)
    assert 'model = "gpt-5"  # GPT_MODEL\n' in made.settings
    assert "max_connections = 40  # OPENAI_MAX_CONNECTIONS\n" in made.settings


def test_secrets_are_named_with_their_place_and_are_nowhere_in_the_result(tmp_path: Path) -> None:
    _, made = convert(tmp_path, WHOLE)
    everything = made.settings + "".join(made.remarks)
    for secret in ("MTIz.token", "sk-openai", "pplx-perplexity"):
        assert secret not in everything
    told = remark(made, "OPENAI_API_KEY")
    assert "openai-api-key" in told
    assert "OPENAI_API_KEY" in told


def test_secrets_come_over_where_that_is_asked_for(tmp_path: Path) -> None:
    new, made = convert(tmp_path, WHOLE, with_secrets=True)
    assert new.discord.token is not None
    assert new.discord.token.get_secret_value() == "MTIz.token"
    assert [provider.name for provider in new.configured] == ["openai", "perplexity"]
    assert not [line for line in made.remarks if "secret" in line]


def test_the_example_s_placeholders_are_no_secrets(tmp_path: Path) -> None:
    text = "[Discord]\nDISCORD_TOKEN=your_discord_bot_token_here\n[Default]\nPERPLEXITY_API_KEY=\n"
    old = tmp_path / "config.ini"
    old.write_text(text)
    made = migrate(old, with_secrets=True)
    assert "your_" not in made.settings
    assert made.remarks == ("DISCORD_TOKEN: left out: it is the placeholder of the example file",)


def test_channels_by_name_are_told_with_what_is_open_until_then(tmp_path: Path) -> None:
    new, made = convert(tmp_path, "[Discord]\nALLOWED_CHANNELS = general, 123456789012345678, bot-talk\n")
    assert new.discord.allowed_channel_ids == (123456789012345678,)
    told = remark(made, "ALLOWED_CHANNELS")
    assert "general, bot-talk" in told
    assert "all channels are allowed" in told
    assert "#   bot-talk\n" in made.settings


def test_a_number_that_is_no_id_takes_no_id_with_it(tmp_path: Path) -> None:
    text = f"[Discord]\nALLOWED_CHANNEL_IDS = 123456789012345678, {2**64}, 7\n"
    new, made = convert(tmp_path, text)
    assert new.discord.allowed_channel_ids == (123456789012345678,)
    assert f"{2**64}, 7" in remark(made, "ALLOWED_CHANNELS")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("RATE_LIMIT = many", "should be a whole number"),
        (
            "RATE_LIMIT = 0",
            "rate_limits.user.questions: 0 cannot be used: should be at least 1",
        ),
        ("OPENAI_MAX_CONNECTIONS = 5000", "should be at most 1000"),
        ("OPENAI_API_URL = proxy.example", "should be an address like https://host/path"),
        ("LOG_LEVEL = VERBOSE", "'DEBUG', 'INFO'"),
        ("MAX_HISTORY_PER_USER = -1", "at least 0"),
        ("REASONING_EFFORT = huge", "'minimal'"),
        ("VERBOSITY = chatty", "'medium'"),
        ("ACTIVITY_TYPE = streaming", "'listening'"),
        ("BOT_PRESENCE = asleep", "'invisible'"),
        ("HEALTH_PORT = 80800", "at most 65535"),
        ("HEALTH_ENABLED = perhaps", "should be true or false"),
    ],
)
def test_an_impossible_value_is_told_with_what_would_be_right_and_the_default_stays(
    tmp_path: Path, line: str, said: str
) -> None:
    new, made = convert(tmp_path, f"[Any]\n{line}\n")
    told = remark(made, line.partition(" ")[0])
    assert said in told
    assert "the default stays" in told
    assert new == convert(tmp_path, "")[0]


def test_more_kept_connections_than_there_may_be_are_told(tmp_path: Path) -> None:
    pool = "[ConnectionPool]\nOPENAI_MAX_KEEPALIVE = 9\nOPENAI_MAX_CONNECTIONS = 4\n"
    new, made = convert(tmp_path, pool)
    assert new.connection_pool.openai.max_connections == 4
    assert "at most max_connections, which is 4" in remark(made, "OPENAI_MAX_KEEPALIVE")


def test_a_level_that_is_not_known_here_becomes_the_nearest_and_that_is_told(tmp_path: Path) -> None:
    new, made = convert(tmp_path, "[Logging]\nLOG_LEVEL = CRITICAL\n")
    assert new.logging.level == "ERROR"
    assert "ERROR is the nearest" in remark(made, "LOG_LEVEL")


@pytest.mark.parametrize("off", ["false", "No", "0", "off   # for now"])
def test_health_that_is_switched_off_stays_off_whatever_its_port(tmp_path: Path, off: str) -> None:
    new, made = convert(tmp_path, f"[Health]\nHEALTH_ENABLED = {off}\nHEALTH_PORT = 9090\n")
    assert new.operations.port == 0
    assert "port = 0  # HEALTH_ENABLED\n" in made.settings
    assert made.remarks == ()


@pytest.mark.parametrize(
    ("old", "status"), [("offline", "invisible"), ("do_not_disturb", "dnd"), ("DND", "dnd")]
)
def test_a_status_by_another_name_is_the_same_one(tmp_path: Path, old: str, status: str) -> None:
    assert convert(tmp_path, f"[Discord]\nBOT_PRESENCE = {old}\n")[0].discord.status == status


def test_older_sections_and_keys_and_comments_behind_values_are_understood(tmp_path: Path) -> None:
    text = """\
        [DEFAULT]
        GPT_MODEL = gpt-5-nano   # the small one
        [OpenAI]
        API_URL = https://old.example/v1
        API_KEY = sk-old
        """
    new, made = convert(tmp_path, "\n".join(map(str.strip, text.splitlines())))
    assert new.providers.openai.model == "gpt-5-nano"
    assert new.providers.openai.base_url == "https://old.example/v1"
    assert "as OPENAI_API_KEY" in remark(made, "API_KEY")
    assert convert(tmp_path, "[DEFAULT]\nGPT_MODEL = gpt-5-nano\n")[0].providers.openai.model == "gpt-5-nano"


def test_a_key_of_nobody_is_told_by_its_name_alone(tmp_path: Path) -> None:
    _, made = convert(tmp_path, "[Discord]\nMY_PASSWORD = hunter2\n")
    assert "no equivalent: the old bot had no such key" in remark(made, "MY_PASSWORD")
    assert "hunter2" not in "".join(made.remarks) + made.settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DISCORD_TOKEN=abc\n", "line 1: there is text before the first"),
        ("[Discord]\nDISCORD_TOKEN=abc\nabc-on-its-own\n", "line 3: a line is neither"),
        ("[Discord]\nA=abc\na=abc\n", "line 3: a key appears twice"),
        ("[A]\nx=1\n[A]\n", "line 3: a section appears twice"),
    ],
)
def test_what_is_no_config_ini_is_told_with_its_line_and_not_its_text(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        convert(tmp_path, text)
    assert said in str(caught.value)
    assert "abc" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="none.ini: cannot be read"):
        migrate(tmp_path / "none.ini")
    (tmp_path / "config.ini").write_bytes(b"[A]\nx=\xff\n")
    with pytest.raises(SettingsError, match="UTF-8, but byte 6"):
        migrate(tmp_path / "config.ini")


def test_the_command_writes_the_file_to_stdout_and_the_rest_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.ini").write_text(WHOLE, encoding="utf-8")
    assert main(["migrate", str(tmp_path / "config.ini")]) == 0
    told = capsys.readouterr()
    (tmp_path / "settings.toml").write_text(told.out, encoding="utf-8")
    assert load(tmp_path / "settings.toml", KEYS).providers.openai.model == "gpt-5"
    assert "DISCORD_TOKEN: a secret, not copied" in told.err
    assert "chmod" not in told.err
    assert main(["migrate", "--with-secrets", str(tmp_path / "config.ini")]) == 0
    assert "chmod 600" in capsys.readouterr().err
    assert main(["migrate", str(tmp_path / "none.ini")]) == 78
    assert "none.ini" in capsys.readouterr().err


every_key = st.sampled_from(
    [*RULES, *NO_COUNTERPART, *(secret.variable for secret in secrets_of()), "API_KEY"]
)
any_value = st.one_of(
    st.text(max_size=40),
    st.integers().map(str),
    st.sampled_from(["INFO", "https://x/y", "%", "%(x)s", "1,2", "\x7f", "\u2028", '"""', "#", "x ; y"]),
)


@settings(
    max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(values=st.dictionaries(every_key, any_value), with_secrets=st.booleans())
def test_whatever_the_values_the_result_can_be_used(
    tmp_path: Path, values: dict[str, str], with_secrets: bool
) -> None:
    old = tmp_path / "config.ini"
    lines = "".join(f"{key} = {value}\n" for key, value in values.items())
    old.write_text(f"[Section]\n{lines}", encoding="utf-8", errors="replace")
    try:
        made = migrate(old, with_secrets=with_secrets)
    except SettingsError:
        return  # it was no config.ini
    new = tmp_path / "settings.toml"
    new.write_text(made.settings, encoding="utf-8")
    load(new, KEYS)
    assert all(line.isprintable() for line in made.remarks)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.text("ab%()sd x", max_size=12)), max_size=5))
def test_a_percent_means_what_configparser_says(pairs: list[tuple[str, str]]) -> None:
    """Names are followed, and what cannot be followed stays as it stands."""
    values = {key: value.strip() for key, value in pairs}
    text = "[Discord]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())
    parser = configparser.ConfigParser(default_section="")
    parser.read_string(text)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.ini"
        path.write_text(text)
        found = reading.read(path)
    for key in parser["Discord"]:
        try:
            expected = parser.get("Discord", key)
        except configparser.InterpolationError:
            expected = parser.get("Discord", key, raw=True)
        assert found[key.upper()] == expected.strip()


def test_keys_that_name_each_other_do_not_grow_without_end(tmp_path: Path) -> None:
    """Ten lines of configparser's could take all memory."""
    grown = [f"A{n} = " + f"%(A{n - 1})s" * 100 for n in range(1, 10)]
    many = [f"B{n} = %(A9)s" for n in range(20_000)]
    lines = ["[Discord]", "SYSTEM_MESSAGE = Be brief, %(A0)s.", *many, "A0 = lol", *grown]
    path = tmp_path / "config.ini"
    path.write_text("\n".join([*lines, ""]))
    began = time.process_time()
    found = reading.read(path)
    assert time.process_time() - began < 10
    assert found["SYSTEM_MESSAGE"] == "Be brief, lol."
    assert max(map(len, found.values())) <= reading.LONGEST_VALUE
