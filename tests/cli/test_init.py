"""`discordianai init`, as a newcomer types it: in a terminal, twice, and without one."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from discordianai.cli.main import main
from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.launcher import BotProcess
from tests.cli.init_dialog import NUMBER, PASTE, WITH_SYSTEM_FOLDERS, Operator, operator
from tests.postgres import PostgresDatabase

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
"""Python 3.12 and later warn of what a terminal takes."""

HERE, FOR_ME, FOR_THE_MACHINE = "1", "2", "3"
AGAIN, KEEP, WITHOUT = "1", "2", "3"
ADDRESS, NAME, MODEL = "Its address .Enter: none.: ", r"Its name \[local\]: ", "Its model: "


@asynccontextmanager
async def start(person: Operator) -> AsyncIterator[BotProcess]:
    """The bot, by the command that `init` ends with."""
    with person.sandbox.log.open("ab") as log:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "discordianai", "run"],
            cwd=person.folder,
            env=dict(person.sandbox.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    bot = BotProcess(process, person.sandbox)
    try:
        yield bot
    finally:
        with trio.CancelScope(shield=True):
            await bot.stop()


def nothing_shown(operator: Operator, screen: str) -> bool:
    return not any(secret in screen for secret in operator.secrets)


@pytest.mark.slow
async def test_from_nothing_to_a_bot_that_answers_and_again(tmp_path: Path, authority: Authority) -> None:
    """Every secret is tried and stored for its owner alone; the second run changes nothing."""
    async with operator(tmp_path, authority) as person:
        token, openai, perplexity, foreign = person.secrets
        first = await person.types(
            [
                (NUMBER, HERE),
                (PASTE, token),
                (PASTE, openai),
                (PASTE, perplexity),
                (ADDRESS, person.sandbox.foreign.url),
                (NAME, ""),
                (MODEL, "local-model"),
                (PASTE, foreign),
            ],
            *person.services,
        )
        files = person.files()
        second = await person.types([(NUMBER, HERE)])
        checked = await person.runs("check", "--online")
    assert first.status == second.status == 0, first.screen + second.screen
    assert "Add the bot to a server: https://discord.com/oauth2/authorize?" in first.screen
    assert first.screen.splitlines()[-1].endswith("-m discordianai run")
    assert {name: mode for name, (mode, _) in files.items()} == dict.fromkeys(
        ("settings.toml", "discord-token", "openai-api-key", "perplexity-api-key", "local-api-key"), "600"
    )
    assert files["discord-token"][1] == f"{token}\n"
    settings = files["settings.toml"][1]
    assert 'model = "local-model"  # the model that answers' in settings
    assert "images = false" in settings  # which that model refuses, and `check` would have to tell
    assert "keepalive" not in settings  # which has its default
    assert person.files() == files
    assert second.screen.count("set, in ") == 3
    assert checked.status == 0, checked.screen
    assert all(nothing_shown(person, told.screen) for told in (first, second, checked))
    assert not any(secret in settings for secret in person.secrets)


@pytest.mark.slow
async def test_a_bot_runs_with_what_was_written(tmp_path: Path, authority: Authority) -> None:
    """The last line of `init` is all that is left to type."""
    async with operator(tmp_path, authority) as person:
        token, openai, *_ = person.secrets
        await person.types(
            [(NUMBER, HERE), (PASTE, token), (PASTE, openai), (PASTE, ""), (ADDRESS, "")],
            *person.services,
            "--set",
            "operations.port=0",
        )
        async with start(person) as bot:
            await bot.ready()


@pytest.mark.slow
async def test_what_is_wrong_is_asked_again_kept_or_left_out(tmp_path: Path, authority: Authority) -> None:
    """Nothing is stored against the operator's will, and no mistake ends the dialogue."""
    async with operator(tmp_path, authority) as person:
        token, *_ = person.secrets
        told = await person.types(
            [
                (NUMBER, "9"),
                (NUMBER, HERE),
                (PASTE, ""),
                (PASTE, f"Bot {token}"),
                (PASTE, "aB3_-" * 6 + "xy"),
                (PASTE, "a-wrong-token"),
                (NUMBER, AGAIN),
                (PASTE, token),
                (PASTE, "a-wrong-key"),
                (NUMBER, KEEP),
                (PASTE, "another-wrong-key"),
                (NUMBER, WITHOUT),
                (ADDRESS, "no address"),
                (ADDRESS, "http://127.0.0.1:1/v1"),
                (NAME, ""),
                (MODEL, ""),
                (ADDRESS, ""),
            ],
            *person.services,
        )
    files = person.files()
    assert told.status == 0, told.screen
    assert files["discord-token"][1] == f"{token}\n"
    assert files["openai-api-key"][1] == "a-wrong-key\n"
    assert "perplexity-api-key" not in files
    for sentence in (
        "Type a number from 1 to 3",
        "remove the word before it",
        "the application's client secret, not the bot's token",
        "Discord rejects the bot's token",
        "the key is rejected",
        "should be an address",
        "the model is missing: type the name",
    ):
        assert sentence in told.screen
    assert "wrong-key" not in told.screen
    assert "wrong-token" not in told.screen


@pytest.mark.slow
@pytest.mark.parametrize("end", ["\x03", "\x04"], ids=["Ctrl-C", "Ctrl-D"])
async def test_who_stops_goes_on_where_they_were(tmp_path: Path, authority: Authority, end: str) -> None:
    """Discord shows a token once: it is stored as soon as it is accepted."""
    async with operator(tmp_path, authority) as person:
        token, openai, *_ = person.secrets
        first = await person.types([(NUMBER, HERE), (PASTE, token), (PASTE, end)], *person.services)
        between = set(person.files())
        second = await person.types(
            [(NUMBER, HERE), (PASTE, openai), (PASTE, ""), (ADDRESS, "")], *person.services
        )
    assert (first.status, second.status) == (1, 0), first.screen + second.screen
    assert first.screen.splitlines()[-1] == "stopped"
    assert between == {"discord-token"}
    assert "Bot's token: set, in discord-token" in second.screen


@pytest.mark.slow
async def test_without_any_provider_it_asks_once_more(tmp_path: Path, authority: Authority) -> None:
    """A bot without one cannot start."""
    async with operator(tmp_path, authority) as person:
        token, openai, *_ = person.secrets
        told = await person.types(
            [
                (NUMBER, HERE),
                (PASTE, token),
                (PASTE, ""),
                (PASTE, ""),
                (ADDRESS, ""),
                (PASTE, openai),
                (PASTE, ""),
                (ADDRESS, ""),
            ],
            *person.services,
        )
    assert told.status == 0, told.screen
    assert "The bot needs at least one of them." in told.screen


@pytest.mark.slow
async def test_a_service_of_one_s_own_gets_its_unit_and_its_credentials(
    tmp_path: Path, authority: Authority
) -> None:
    """In the user's own folders, and twice."""
    async with operator(tmp_path, authority) as person:
        token, openai, *_ = person.secrets
        first = await person.types(
            [(NUMBER, FOR_ME), (PASTE, token), (PASTE, openai), (PASTE, ""), (ADDRESS, "")], *person.services
        )
        files = person.files()
        second = await person.types([(NUMBER, FOR_ME), (PASTE, "")])
    assert first.status == second.status == 0, first.screen + second.screen
    unit = files[".config/systemd/user/discordianai.service"][1]
    assert f"LoadCredential=discord-token:{person.home}/.config/discordianai/discord-token" in unit
    assert files[".config/discordianai/openai-api-key"] == ("600", f"{openai}\n")
    assert (person.home / ".config" / "discordianai").stat().st_mode & 0o777 == 0o700
    start = "systemctl --user daemon-reload && systemctl --user enable --now discordianai.service"
    assert first.screen.splitlines()[-1].strip() == start
    assert "discordianai.service: unchanged" in second.screen
    assert list(person.folder.iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="a service of the machine is root's")
async def test_a_service_of_the_machine_may_read_the_settings_and_nobody_the_secrets(
    tmp_path: Path, authority: Authority
) -> None:
    """It runs as a user of its own, and gets the secrets as credentials."""
    async with operator(tmp_path, authority) as person:
        token, openai, *_ = person.secrets
        places = {"units": str(person.home / "units"), "configuration": str(person.home / "etc")}
        person.program = ["-c", WITH_SYSTEM_FOLDERS.format(**places)]
        told = await person.types(
            [(NUMBER, FOR_THE_MACHINE), (PASTE, token), (PASTE, openai), (PASTE, ""), (ADDRESS, "")],
            *person.services,
        )
        again = await person.types([(NUMBER, FOR_THE_MACHINE), (PASTE, "")])
    files = person.files()
    assert told.status == again.status == 0, told.screen + again.screen
    modes = {name: files[f"etc/{name}"][0] for name in ("settings.toml", "discord-token", "openai-api-key")}
    assert modes == {"settings.toml": "644", "discord-token": "600", "openai-api-key": "600"}
    assert (person.home / "etc").stat().st_mode & 0o777 == 0o755
    assert "LoadCredential=openai-api-key:" in files["units/discordianai.service"][1]
    assert told.screen.splitlines()[-1].strip().startswith("systemctl daemon-reload && systemctl enable")


@pytest.mark.slow
async def test_without_a_terminal_files_and_options_tell_everything(
    tmp_path: Path, authority: Authority
) -> None:
    """As a container or a script sets it up; a second time nothing is asked or changed."""
    async with operator(tmp_path, authority) as person:
        token, openai, _, foreign = person.secrets
        (person.home / "token").write_text(f"{token}\n")
        (person.home / "foreign").write_text(f"{foreign}\r\n")
        person.environment["OPENAI_API_KEY"] = openai
        options = [
            *("--token-file", str(person.home / "token"), "--service", "none"),
            *("--endpoint", person.sandbox.foreign.url, "--endpoint-name", "house"),
            *("--endpoint-model", "local-model", "--endpoint-key-file", str(person.home / "foreign")),
        ]
        first = await person.runs("init", *options, *person.services)
        files = person.files()
        second = await person.runs("init", *options, *person.services)
    assert first.status == second.status == 0, first.screen + second.screen
    assert files["house-api-key"] == ("600", f"{foreign}\n")
    assert files["openai-api-key"] == ("600", f"{openai}\n")
    assert person.files() == files
    assert nothing_shown(person, first.screen + second.screen)


@pytest.mark.slow
async def test_the_password_of_a_database_is_tried_and_stored_apart(
    tmp_path: Path, authority: Authority, postgres_database: PostgresDatabase
) -> None:
    """The URL goes into the settings, the password into a file for its owner alone; a wrong one nowhere."""
    password = postgres_database.password
    async with operator(tmp_path, authority) as person:
        person.environment |= {"DISCORD_TOKEN": person.secrets[0], "OPENAI_API_KEY": person.secrets[1]}
        database = ["--set", f"conversations.database={postgres_database.url}"]
        person.environment["DATABASE_PASSWORD"] = "wrong-and-s3cret"
        refused = await person.runs("init", *database, *person.services)
        person.environment["DATABASE_PASSWORD"] = password
        done = await person.runs("init", *database, *person.services)
        files = person.files()
        del person.environment["DATABASE_PASSWORD"]
        checked = await person.runs("check", "--online")
    assert (refused.status, done.status, checked.status) == (78, 0, 0), done.screen + checked.screen
    assert "refuses the user or the password" in refused.screen
    assert "PostgreSQL 1" in done.screen
    assert files["database-password"] == ("600", f"{password}\n")
    assert f'database = "{postgres_database.url}"' in files["settings.toml"][1]
    assert "from the file beside the settings database-password" in checked.screen
    shown = refused.screen + done.screen + checked.screen + files["settings.toml"][1]
    assert password not in shown
    assert "s3cret" not in shown


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and two secrets in the environment; nobody is asked."""
    (place := tmp_path / "place").mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("DISCORD_TOKEN", "a-token")
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")
    monkeypatch.delenv("PERPLEXITY_API_KEY", raising=False)
    return place


@pytest.mark.slow
async def test_without_a_terminal_what_is_not_accepted_is_not_stored(
    tmp_path: Path, authority: Authority
) -> None:
    """With the status of wrong settings, that a script can go by."""
    async with operator(tmp_path, authority) as person:
        (wrong := person.home / "wrong").write_text("a-wrong-token")
        told = await person.runs("init", "--token-file", str(wrong), *person.services)
        right = person.home / "right"
        right.write_text(person.secrets[0])
        nobody = ["--endpoint", "http://127.0.0.1:1/v1", "--endpoint-model", "m"]
        silent = await person.runs("init", "--token-file", str(right), *nobody, *person.services)
    assert (told.status, silent.status) == (78, 78), told.screen + silent.screen
    assert "127.0.0.1:1: Connection refused" in silent.screen
    assert "Discord rejects the bot's token" in told.screen
    assert "Nothing was stored for it. Correct it, or store it untried with --offline." in told.screen
    assert "a-wrong-token" not in told.screen
    assert [path.name for path in person.folder.iterdir()] == ["discord-token"]  # the second one's


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (["--token-file", "empty"], 78, "empty: is empty: copy the secret into it"),
        (["--token-file", "none"], 78, "none: cannot be read: No such file or directory"),
        (["--set", "discord.token=x"], 78, "token is a secret, and others can read a command line"),
        (["--set", "nonsense"], 78, "should be KEY=VALUE"),
        (["--set", "operations.prt=1"], 78, "did you mean port?"),
        (["--service", "user", "--settings", "x.toml"], 78, "a service has its settings in its own folder"),
        (
            ["--endpoint", "http://127.0.0.1:1/v1"],
            78,
            "is missing: --endpoint-model tells the name",
        ),
        (["--openai-key-file", "pplx"], 78, "this is a Perplexity key, which api.openai.com does not accept"),
    ],
)
def test_without_a_terminal_a_mistake_is_a_sentence(
    place: Path, capsys: pytest.CaptureFixture[str], options: list[str], status: int, sentence: str
) -> None:
    """Which says what to do; no settings are written then."""
    (place / "empty").touch()
    (place / "pplx").write_text("pplx-a-key")
    assert main(["init", "--offline", *options]) == status
    told = capsys.readouterr()
    assert sentence in told.err
    assert "pplx-a-key" not in told.err + told.out
    assert not (place / "settings.toml").exists()


@pytest.mark.parametrize(
    ("variable", "sentence"),
    [
        (
            "DISCORD_TOKEN",
            "discord.token: there is no terminal to ask on; use --token-file, or DISCORD_TOKEN",
        ),
        (
            "OPENAI_API_KEY",
            "no provider is set up: use --openai-key-file, --perplexity-key-file or",
        ),
    ],
)
def test_without_a_terminal_what_is_missing_is_named_with_its_option(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    sentence: str,
) -> None:
    """For whoever writes the script."""
    monkeypatch.delenv(variable)
    assert main(["init", "--offline"]) == 1
    assert sentence in capsys.readouterr().err


def test_a_variable_that_would_win_over_the_stored_secret_is_named(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bot would run with another token than the one that was tried."""
    (place / "token").write_text("another-token")
    for _ in range(2):  # when it is stored, and when it is there
        assert main(["init", "--offline", "--token-file", "token"]) == 0
        told = capsys.readouterr().out
        assert "which comes before it: unset DISCORD_TOKEN" in told
        assert "unset OPENAI_API_KEY" not in told


def test_a_file_that_is_there_is_never_changed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What would belong into it is printed."""
    mine = "# mine\n[logging]\nlevel = 'DEBUG'\n"
    (place / "settings.toml").write_text(mine)
    assert main(["init", "--offline", "--endpoint", "http://127.0.0.1:1/v1", "--endpoint-model", "m"]) == 78
    told = capsys.readouterr().err
    assert "exists and is not changed; add this to it yourself:\n\n[providers.local]\nbase_url = " in told
    assert main(["init", "--offline"]) == 0
    assert "exists, stays as it is" in capsys.readouterr().out
    assert (place / "settings.toml").read_text() == mine


def test_settings_that_cannot_be_used_are_for_the_operator_to_correct(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is stored beside them."""
    (place / "settings.toml").write_text("[logging]\nlevel = 'LOUD'\n")
    assert main(["init", "--offline"]) == 78
    assert "logging.level: 'LOUD' cannot be used" in capsys.readouterr().err
    assert [path.name for path in place.iterdir()] == ["settings.toml"]


def test_the_key_of_an_endpoint_whose_settings_were_not_written_yet_is_found_again(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the first run was stopped after it had stored the key."""
    (place / "local-api-key").write_text("a-key\n")
    (place / "local-api-key").chmod(0o600)
    endpoint = ["--endpoint", "http://127.0.0.1:1/v1", "--endpoint-model", "m"]
    assert main(["init", "--offline", *endpoint, "--endpoint-key-file", "local-api-key"]) == 0
    assert (place / "local-api-key").read_text() == "a-key\n"
    assert "[providers.local]" in (place / "settings.toml").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write in another's name")
def test_what_root_writes_in_another_s_folder_is_that_one_s(place: Path) -> None:
    """The bot that runs as the owner of the folder reads it."""
    os.chown(place, 61234, 61234)
    for folder in (place, *place.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o011)
    assert main(["init", "--offline"]) == 0
    owners = {path.name: path.stat().st_uid for path in place.iterdir()}
    assert owners == dict.fromkeys(("settings.toml", "discord-token", "openai-api-key"), 61234)


def test_a_secret_file_that_is_no_file_is_not_replaced(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty one, for example, or a link to somewhere else."""
    (place / "discord-token").touch()
    assert main(["init", "--offline"]) == 1
    assert "discord-token exists and cannot be used: remove it" in capsys.readouterr().err
    (place / "discord-token").unlink()
    (place / "discord-token").symlink_to("/dev/null")
    assert main(["init", "--offline"]) == 78
    assert "discord-token: cannot be read: a symbolic link" in capsys.readouterr().err


def test_a_taken_port_is_replaced_by_the_next_one(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bot would not start otherwise."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert main(["init", "--offline", "--set", f"operations.port={port}"]) == 0
    assert f"Port {port} is taken on this machine" in capsys.readouterr().out
    assert re.search(r"^port = 80[89]\d  # ", (place / "settings.toml").read_text(), re.MULTILINE)


def test_a_folder_that_everybody_can_write_to_gets_no_secret(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody else could put a file of theirs in its place."""
    place.chmod(0o777)
    assert main(["init", "--offline"]) == 78
    assert "can be written to by everyone: choose another folder" in capsys.readouterr().err


@pytest.mark.slow
async def test_bytes_that_are_no_text_are_asked_again(tmp_path: Path, authority: Authority) -> None:
    """A terminal may have another encoding than what is pasted into it."""
    async with operator(tmp_path, authority) as person:
        token, openai, *_ = person.secrets
        told = await person.types(
            [
                (NUMBER, HERE),
                (PASTE, "\udcff\udcfe"),
                (PASTE, token),
                (PASTE, openai),
                (PASTE, ""),
                (ADDRESS, ""),
            ],
            *person.services,
        )
    assert told.status == 0, told.screen
    assert "isn't valid in this terminal's encoding" in told.screen


def test_a_discord_that_is_not_reached_is_told_with_the_reason_and_what_helps(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the token was stored before; which file to remove is named."""
    (place / "discord-token").write_text("a-token")
    (place / "discord-token").chmod(0o600)
    main(["init", "--set", "discord.api_url=http://127.0.0.1:1", "--openai-key-file", "empty"])
    told = capsys.readouterr().out
    assert "127.0.0.1:1: Connection refused" in told
    assert "-> check" in told
    assert "other findings" not in told
    assert "To replace it, remove the file discord-token, and run this again." in told
