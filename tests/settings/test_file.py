"""The operator's file: what is taken from where, and what is said about mistakes."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from discordianai.settings.document import SettingsError
from discordianai.settings.file import examine, load
from discordianai.settings.secret_sources import SecretSource, key_of
from tests.known_providers import OPENAI

KEYS = {"DISCORD_TOKEN": "token-from-environment", "OPENAI_API_KEY": "key-from-environment"}


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str, environment: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load(write(folder, text), KEYS if environment is None else environment)
    return caught.value.problems


def test_an_empty_file_and_the_secrets_are_enough(tmp_path: Path) -> None:
    settings = load(write(tmp_path, ""), KEYS)
    assert settings.configured == (OPENAI,)
    assert settings.connection_pool.openai.max_connections == 50
    assert settings.connection_pool.perplexity.max_connections == 30


def test_the_shipped_file_says_what_the_defaults_are(tmp_path: Path) -> None:
    shipped = load(Path("settings.toml"), KEYS)
    assert shipped == load(write(tmp_path, ""), KEYS)


def test_every_mistake_is_told_in_one_go_with_its_path_and_what_would_be_right(tmp_path: Path) -> None:
    told = problems(
        tmp_path,
        """
        [discord]
        tokn = "x"
        guild_ids = ["a"]
        [connection_pool.openai]
        max_connections = 0
        [logging]
        level = "LOUD"
        """,
    )
    assert len(told) == 4
    assert any(line.startswith("discord.tokn: ") and "did you mean token?" in line for line in told)
    assert any(line.startswith("discord.guild_ids.0: ") and "a whole number" in line for line in told)
    assert any("max_connections: 0" in line and "the default is 50" in line for line in told)
    assert any("level: 'LOUD'" in line and "'DEBUG', 'INFO'" in line for line in told)


def test_an_answer_that_leaves_no_room_to_the_question_is_a_mistake(tmp_path: Path) -> None:
    """Every question would be refused as too long, with room for 0 tokens."""
    (told,) = problems(tmp_path, "[providers.openai]\nmax_answer_tokens = 16000")
    assert told.startswith("conversations.context_tokens: 16000 ")
    assert "max_answer_tokens" in told
    small = '[providers.openai]\nmax_answer_tokens = 4000\n[models."gpt-6-luna"]\ncontext_tokens = 4000'
    (told,) = problems(tmp_path, small)
    assert told.startswith("models.gpt-6-luna")
    large = '[providers.openai]\nmax_answer_tokens = 16000\n[models."gpt-6-luna"]\ncontext_tokens = 128000'
    assert load(write(tmp_path, large), KEYS)


def test_keeping_more_connections_than_there_may_be_is_a_mistake(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, "[connection_pool.openai]\nmax_connections = 5\nmax_keepalive = 6")
    assert told.startswith("connection_pool.openai.max_keepalive: 6")
    assert "at most max_connections, which is 5" in told


def test_fewer_connections_than_the_default_keeps_are_no_mistake(tmp_path: Path) -> None:
    assert load(write(tmp_path, "[connection_pool.openai]\nmax_connections = 5"), KEYS)


def test_a_syntax_error_is_told_with_line_and_column(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, "[discord]\ntoken = = 3\n")
    assert "line 2, column 9" in told


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    with pytest.raises(SettingsError, match="settings.toml and /etc/discordianai/settings.toml"):
        load(None, KEYS)
    with pytest.raises(SettingsError, match="elsewhere.toml"):
        load(tmp_path / "elsewhere.toml", KEYS)


def test_without_secrets_each_missing_one_is_named(tmp_path: Path) -> None:
    told = problems(tmp_path, "", {})
    assert any("DISCORD_TOKEN" in line for line in told)
    assert any("OPENAI_API_KEY or PERPLEXITY_API_KEY" in line for line in told)


def test_a_credential_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "discord-token").write_text("token-from-credential\n")
    path = write(tmp_path, '[discord]\ntoken = "file"\n[providers.perplexity]\napi_key = "file"')
    settings = load(path, {**KEYS, "CREDENTIALS_DIRECTORY": os.fspath(tmp_path)})
    assert settings.discord.token is not None
    assert settings.discord.token.get_secret_value() == "token-from-credential"
    assert settings.providers.openai.api_key is not None
    assert settings.providers.openai.api_key.get_secret_value() == "key-from-environment"
    assert settings.providers.perplexity.api_key is not None
    assert settings.providers.perplexity.api_key.get_secret_value() == "file"


def test_no_secret_is_shown_by_the_settings_or_by_an_error_about_them(tmp_path: Path) -> None:
    settings = load(write(tmp_path, ""), KEYS)
    assert "from-environment" not in repr(settings)
    told = problems(tmp_path, '[providers.openai]\napi_key = ["sk-very-secret"]', {"DISCORD_TOKEN": "x"})
    assert "sk-very-secret" not in "".join(told)


@pytest.mark.parametrize("text", ["discord = 3", "discord = []", "[[discord]]\ntoken = 'x'"])
def test_a_table_that_is_none_is_a_mistake_like_others(tmp_path: Path, text: str) -> None:
    assert any(line.startswith("discord") for line in problems(tmp_path, text))


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="UTF-8"):
        load(path, KEYS)
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path, KEYS)


def test_a_relative_database_is_in_the_service_s_state_directory_where_there_is_one(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    service = {**KEYS, "STATE_DIRECTORY": "/var/lib/discordianai"}
    assert load(path, service).conversations.database == "/var/lib/discordianai/discordianai.sqlite3"
    assert load(path, KEYS).conversations.database == "discordianai.sqlite3"
    several = {**KEYS, "STATE_DIRECTORY": "/var/lib/one:/var/lib/two"}
    assert load(path, several).conversations.database == "/var/lib/one/discordianai.sqlite3"
    named = write(tmp_path, '[conversations]\ndatabase = "/srv/bot.sqlite3"')
    assert load(named, service).conversations.database == "/srv/bot.sqlite3"


def test_a_place_to_serve_that_cannot_be_one_is_a_mistake(tmp_path: Path) -> None:
    told = problems(tmp_path, '[operations]\nhost = "http://here"\nport = 70000')
    assert any(line.startswith("operations.host: 'http://here'") and "127.0.0.1" in line for line in told)
    assert any(line.startswith("operations.port: 70000") and "65535" in line for line in told)


@pytest.mark.parametrize(
    "name", ["a library", "discordianai.transprt", "discordianai.", "discordianai..transport", "a/b"]
)
def test_a_level_is_for_a_module_of_the_bot_that_there_is(tmp_path: Path, name: str) -> None:
    (told,) = problems(tmp_path, f'[logging.levels]\n"{name}" = "DEBUG"')
    assert told.startswith(f'logging.levels."{name}": ')
    assert "a module of the bot, like discordianai.transport" in told


def test_levels_of_rooms_and_of_modules_are_taken(tmp_path: Path) -> None:
    path = write(
        tmp_path, '[logging.levels]\n"discordianai.transport" = "DEBUG"\n"discordianai.bot" = "ERROR"'
    )
    assert load(path, KEYS).logging.levels == {
        "discordianai.transport": "DEBUG",
        "discordianai.bot": "ERROR",
    }


@pytest.mark.parametrize(
    "text",
    [
        'openai = "sk-proj-a-secret-of-a-usual-length"',
        'providers = "sk-proj-a-secret-of-a-usual-length"',
        'providers.openai = "sk-proj-a-secret-of-a-usual-length"',
        '[[providers.openai]]\napi_key = "sk-proj-a-secret-of-a-usual-length"',
        '[providers.openai]\nbase_url = "sk-proj-a-secret-of-a-usual-length"',
        "[providers.openai]\nsk-proj-a-secret-of-a-usual-length-and-longer = 1",
        '[providers.openai]\nbase_url = "http://me:sk-proj@a host"',
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path, text: str) -> None:
    told = problems(tmp_path, text)
    assert told[0].startswith(("providers", "openai"))
    assert "sk-proj-a-secret-of-a-usual" not in "".join(told)
    assert "sk-proj@" not in "".join(told)


@pytest.mark.parametrize("value", ["two\nlines", "with space", "'quoted'", "schlüssel"])
def test_a_secret_that_no_header_can_carry_is_a_mistake(tmp_path: Path, value: str) -> None:
    (told,) = problems(tmp_path, "", {**KEYS, "OPENAI_API_KEY": value})
    assert told.startswith("providers.openai.api_key: should be letters")
    assert value not in told


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.openai.com",
        "ftp://host",
        "https://",
        "https://:443",
        "http://[",
        "https://h:99999",
        "http://a\tb",
    ],
)
def test_an_address_that_leads_nowhere_is_a_mistake(tmp_path: Path, url: str) -> None:
    (told,) = problems(tmp_path, f"[providers.openai]\nbase_url = {json.dumps(url)}")
    assert told.startswith("providers.openai.base_url: ")
    assert "should be an address like https://host/path" in told


@pytest.mark.parametrize("key", ["providers.openai.base_url", "discord.api_url"])
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://me:secret@host.example/v1", "should have no name and password before the host"),
        ("https://@host.example/v1", "should have no name and password before the host"),
        ("https://host.example/v1?api-version=1", "should have no query: remove the ? and what follows"),
        ("https://host.example/v1?", "should have no query"),
        ("https://host.example/v1#top", "should have no fragment: remove the # and what follows"),
        ("https://host.example/v1#", "should have no fragment"),
    ],
)
def test_an_address_to_which_no_path_can_be_added_is_a_mistake(
    tmp_path: Path, key: str, address: str, said: str
) -> None:
    """It would be asked elsewhere, or with a password that errors repeat."""
    (told,) = problems(tmp_path, f"{key} = {json.dumps(address)}")
    assert told.startswith(f"{key}: ")
    assert said in told
    assert "secret" not in told


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://h.example/v1/Chat/Completions", "should end before /chat/completions, which the bot adds"),
        (
            "https://h.example/v1/chat/completions//",
            "should end before /chat/completions, which the bot adds",
        ),
        ("https://h.example/v1/models", "should end before /models: the bot has no use for that interface"),
        ("https://h.example/v1/completions", "should end before /completions: the bot has no use"),
        ("https://h.example/v1/messages", "should end before /messages: the bot has no use"),
    ],
)
def test_an_address_of_one_interface_is_a_mistake(tmp_path: Path, address: str, said: str) -> None:
    """Each request adds the path of its own."""
    (told,) = problems(tmp_path, f"providers.openai.base_url = {json.dumps(address)}")
    assert told.startswith("providers.openai.base_url: ")
    assert said in told


def test_an_agents_address_has_no_version_of_its_own(tmp_path: Path) -> None:
    """Its path begins with one, so that it would be asked at /v1/v1/agent."""
    (told,) = problems(tmp_path, 'providers.perplexity.base_url = "https://api.perplexity.ai/v1"')
    assert told.startswith("providers.perplexity.base_url: ")
    assert "should end before /v1, which the bot adds itself" in told
    assert read_openai(tmp_path, "https://api.openai.com/v1/") == "https://api.openai.com/v1"


def read_openai(folder: Path, address: str) -> str:
    text = f"providers.openai.base_url = {json.dumps(address)}"
    return load(write(folder, text), KEYS).provider("openai").base_url


def test_a_database_whose_name_no_file_can_have_is_a_mistake(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, '[conversations]\ndatabase = "a\\u0000b"')
    assert told.startswith("conversations.database: ")


POSTGRES = '[conversations]\ndatabase = "postgresql://bot@db.example.org/discordianai"\n'


def test_a_url_is_no_path_in_the_state_directory(tmp_path: Path) -> None:
    """It stays what it is, also for a service."""
    service = {**KEYS, "STATE_DIRECTORY": "/var/lib/discordianai"}
    options = load(write(tmp_path, POSTGRES), service).conversations
    assert options.database == "postgresql://bot@db.example.org/discordianai"
    assert options.url is not None
    assert options.database_password is None


def test_the_password_of_the_database_comes_from_where_secrets_come_from(tmp_path: Path) -> None:
    """In the same order: credential, environment, file beside the settings, settings."""
    path = write(tmp_path, POSTGRES + 'database_password = "of the settings"')

    def password(environment: Mapping[str, str]) -> str | None:
        found = load(path, environment).conversations.database_password
        return found.get_secret_value() if found else None

    assert password(KEYS) == "of the settings"
    (tmp_path / "database-password").write_text("of the file, with spaces\n")
    (tmp_path / "database-password").chmod(0o600)
    assert password(KEYS) == "of the file, with spaces"
    assert password({**KEYS, "DATABASE_PASSWORD": "of the environment"}) == "of the environment"
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "database-password").write_text("of the credential\n")
    with_both = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials"), "DATABASE_PASSWORD": "other"}
    assert password({**KEYS, **with_both}) == "of the credential"


def test_a_password_in_the_url_is_refused_and_not_shown(tmp_path: Path) -> None:
    """The sentence names the places where it belongs."""
    for url in ("postgresql://bot:s3cret@h/x", "postgresql://h/x?password=s3cret"):
        (told,) = problems(tmp_path, f'[conversations]\ndatabase = "{url}"')
        assert told.startswith("conversations.database: should have no password in it: ")
        assert "DATABASE_PASSWORD" in told
        assert "s3cret" not in told


def test_a_password_that_is_no_line_is_refused_and_not_shown(tmp_path: Path) -> None:
    """Nor is it in what the settings look like in a traceback."""
    (told,) = problems(tmp_path, POSTGRES + 'database_password = "s3\\ncret"')
    assert told.startswith("conversations.database_password: should be one line")
    assert "s3" not in told
    loaded = load(write(tmp_path, POSTGRES + 'database_password = "s3cret"'), KEYS)
    assert "s3cret" not in repr(loaded)


def test_the_password_of_another_program_does_not_matter_to_a_file(tmp_path: Path) -> None:
    """Whoever keeps a file may have a variable of that name for something else."""
    environment = {**KEYS, "DATABASE_PASSWORD": "some\nlines"}
    assert load(write(tmp_path, ""), environment).conversations.database_password is None


def test_a_key_below_the_wrong_header_is_told_where_it_belongs(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, "[routing]\nmax_turns = 3")
    assert told == "routing.max_turns: no such key; it belongs in [conversations]"


def test_a_name_that_is_not_plain_is_quoted_and_no_terminal_obeys_it(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, '[models."a.b\\n\\u001b[31m"]\ncontext_tokens = 1')
    assert told.startswith(r'models."a.b\n\u001b[31m".context_tokens: 1 cannot be used')
    assert told.isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\n\nb = " + "9" * 5000, "line 3: a number with too many digits"),
        ("a = 1\nb = " + "[" * 500 + "]" * 500, "line 2: nested too deeply"),
        ("a = 1\n" + "a." * 2000 + "b = 1", "line 2: nested too deeply"),
        ("[discord]\n[providers.openai]\n[discord]", "line 3, column 9: Cannot declare"),
    ],
)
def test_what_the_parser_gives_up_on_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    (told,) = problems(tmp_path, text)
    assert said in told


def test_a_number_too_large_to_be_written_out_is_a_mistake_like_others(tmp_path: Path) -> None:
    (told,) = problems(tmp_path, "[dispatch]\nqueue_size = 0x" + "f" * 6000)
    assert told.startswith("dispatch.queue_size: a number beyond 64 bits cannot be used")


def test_the_line_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"[providers.openai]\n# caf\xe9\n")
    with pytest.raises(SettingsError, match="line 2 is not"):
        load(path, KEYS)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(b"\xef\xbb\xbf[providers.openai]\nmodel = 'm'\n")
    assert load(path, KEYS).providers.openai.model == "m"


def test_an_examination_tells_where_each_secret_stands_and_keeps_settings_without_one(tmp_path: Path) -> None:
    (tmp_path / "openai-api-key").write_text("key-from-credential\n")
    path = write(tmp_path, '[providers.openai]\napi_key = "key-from-file"')
    reading = examine(path, {"CREDENTIALS_DIRECTORY": os.fspath(tmp_path), "PERPLEXITY_API_KEY": "key"})
    assert reading.origins == {
        key_of("openai"): (SecretSource.CREDENTIAL, SecretSource.FILE),
        key_of("perplexity"): (SecretSource.ENVIRONMENT,),
    }
    assert reading.settings is not None
    assert reading.settings.providers.openai.api_key is not None
    assert reading.settings.providers.openai.api_key.get_secret_value() == "key-from-credential"
    assert len(reading.problems) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf[logging]\nlevel = 'DEBUG'\n",
        b"[logging]\r\nlevel = 'DEBUG'\r\n",
        b"\t[logging]\n\t\tlevel\t=\t'DEBUG'\t\n",
    ],
    ids=["byte order mark", "CRLF", "tabs"],
)
def test_what_editors_do_to_a_file_is_no_mistake(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "settings.toml").write_bytes(content)
    assert load(tmp_path / "settings.toml", KEYS).logging.level == "DEBUG"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        (
            "[logging]\nlevel = “DEBUG”\n",
            'line 2, column 9: Invalid value: it has typographic quotes: type "',
        ),
        ("[logging]\nlevel = DEBUG\n", 'put the text in quotes, as in key = "text"'),
        ("[conversations]\ndatabase = /srv/bot.sqlite3\n", "put the text in quotes"),
        (
            "[Discord]\nDISCORD_TOKEN=abc\n[Default]\nGPT_MODEL = gpt-4o-mini\n",
            "discordianai migrate config.ini",
        ),
        ("DISCORD_TOKEN: abc\n", "discordianai migrate config.ini"),
        ("[logging]\n\u00a0level = 'INFO'\n", "type the line anew"),
        ("[logging]\nlevel =\u200b 'INFO'\n", "type the line anew"),
        ('[conversations]\ndatabase = "C:\\users\\bot.db"\n', "a backslash is written twice"),
        ("{'logging': {}}\n", "`discordianai settings` shows how"),
        ("[operations]\nport =\n", "`discordianai settings` shows how"),
        ("[operations]\n[operations]\n", "`discordianai settings` shows how"),
    ],
)
def test_a_usual_mistake_in_the_syntax_is_told_with_its_remedy(
    tmp_path: Path, text: str, remedy: str
) -> None:
    (told,) = problems(tmp_path, text)
    assert remedy in told
    assert "abc" not in told


def test_without_a_file_the_way_to_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="run `discordianai init` to create one"):
        load(tmp_path / "settings.toml", KEYS)


@pytest.mark.parametrize("secret", ["Bot abc", "Bearer abc"])
def test_a_secret_with_the_word_of_its_header_before_it_is_refused(tmp_path: Path, secret: str) -> None:
    told = problems(tmp_path, "", {**KEYS, "DISCORD_TOKEN": secret})
    assert told == ("discord.token: should be the secret alone: remove the word before it",)


@pytest.mark.parametrize("before", ["DISCORD_TOKEN=", "export DISCORD_TOKEN=", "token = ", 'TOKEN="'])
def test_a_line_of_a_file_with_variables_is_no_secret(tmp_path: Path, before: str) -> None:
    told = problems(tmp_path, "", {**KEYS, "DISCORD_TOKEN": f"{before}abc.def.ghi"})
    assert told == ("discord.token: should be the secret alone: remove the name and the = before it",)


@pytest.mark.parametrize("key", ["sk-monkey==", "KEY==", "a-key"])
def test_a_key_may_end_with_padding(tmp_path: Path, key: str) -> None:
    (tmp_path / "settings.toml").write_text("")
    loaded = load(tmp_path / "settings.toml", {**KEYS, "OPENAI_API_KEY": key})
    assert loaded.provider("openai").api_key == SecretStr(key)
