"""`discordianai conversations stats`, `export`, `purge` and `who`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from discordianai.cli.main import main
from discordianai.conversations.operator_port import Selection
from discordianai.conversations.sqlite.export import exported
from discordianai.conversations.sqlite.operator_access import operator_connection
from discordianai.conversations.sqlite.store import open_store
from discordianai.pseudonyms import Pseudonyms
from discordianai.records import Role, Turn
from tests.conversations.builders import ANN, DATABASE, NOW, SLOW, bytes_on_disk

Captured = pytest.CaptureFixture[str]


def run(*arguments: object) -> int:
    return main(["conversations", *map(str, arguments)])


def lines(captured: Captured) -> list[dict[str, object]]:
    return [json.loads(line) for line in captured.readouterr().out.splitlines()]


def all_exported(database: Path, captured: Captured, *selection: object) -> list[dict[str, object]]:
    assert run("export", *selection, "--database", database) == 0
    return lines(captured)


def test_stats_count_what_is_there(database: Path, capsys: Captured) -> None:
    assert run("stats", "--json", "--database", database) == 0
    (shown,) = lines(capsys)
    counts = {"conversations": 4, "turns": 12, "people": 3, "servers": 2, "open_questions": 1}
    assert {name: shown[name] for name in counts} == counts
    assert shown["bot_running"] is False
    assert shown["file_bytes"] == database.stat().st_size
    spent = {
        "answers": 1, "input_tokens": 100, "output_tokens": 20, "cost": 0.003, "unpriced": 0,
        "cached_tokens": 0, "searches": 0,
    }  # fmt: skip
    assert shown["today"] == shown["month"] == spent
    assert str(shown["oldest"]) < str(shown["newest"])


def test_files_that_others_may_read_are_told_and_left_as_they_are(database: Path, capsys: Captured) -> None:
    """As a copy that was put back without its mode."""
    database.chmod(0o644)
    assert run("stats", "--database", database) == 0
    told = capsys.readouterr().err
    assert f"{database} is open to others (mode 644), with what people said: chmod 600 {database}" in told
    assert database.stat().st_mode & 0o777 == 0o644
    for file in database.parent.iterdir():  # SQLite has given what it made beside it the same mode
        file.chmod(0o600)
    assert run("stats", "--database", database) == 0
    assert "open to others" not in capsys.readouterr().err


def test_stats_are_readable(database: Path, capsys: Captured) -> None:
    assert run("stats", "--database", database) == 0
    shown = capsys.readouterr()
    assert "turns           12\n" in shown.out
    assert "today           1 answer, 120 tokens, cost $0.0030\n" in shown.out
    assert "no bot is running on it" in shown.err


def test_an_empty_store_has_stats_too(database: Path, capsys: Captured) -> None:
    assert run("purge", "--all", "--yes", "--database", database) == 0
    assert run("stats", "--database", database) == 0
    assert "oldest turn     none\n" in capsys.readouterr().out


def test_every_turn_is_exported_with_all_that_is_known_of_it(database: Path, capsys: Captured) -> None:
    turns = all_exported(database, capsys)
    assert len(turns) == 12
    assert turns[0] | {"at": ""} == {
        "kind": "turn",
        "shared": False,
        "private": False,
        "guild_id": "7",
        "channel_id": "1",
        "person_id": "10",
        "role": "user",
        "at": "",
        "text": "question 0",
        "attachments": [],
    }
    assert turns[-1]["guild_id"] is None
    assert str(turns[0]["at"]).endswith("+00:00")


@pytest.mark.parametrize(
    ("selection", "people"),
    [
        (("--person", 12), ["12"] * 6),
        (("--server", 7), ["10"] * 2 + ["11"] * 4),
        (("--channel", 2), ["12"] * 4),
        (("--person", 99), []),
        (("--server", 99), []),
        (("--channel", 99), []),
    ],
)
def test_what_is_exported_is_what_a_purge_removes(
    database: Path, capsys: Captured, selection: tuple[object, ...], people: list[str]
) -> None:
    exported_turns = [line for line in all_exported(database, capsys, *selection) if line["kind"] == "turn"]
    assert [turn["person_id"] for turn in exported_turns] == people
    left = [turn for turn in all_exported(database, capsys) if turn not in exported_turns]
    assert run("purge", *selection, "--yes", "--database", database) == 0
    assert f"{len(people)} turns removed" in capsys.readouterr().err
    assert all_exported(database, capsys, *selection) == []
    assert all_exported(database, capsys) == left


def test_a_purge_leaves_nothing_in_the_files(database: Path) -> None:
    for text in (b"question 1", b"answer 1", b"nobody else may read this", b"token-1"):
        assert text in bytes_on_disk(database.parent)
    assert run("purge", "--all", "--yes", "--database", database) == 0
    for text in (b"question 1", b"answer 1", b"nobody else may read this", b"token-1"):
        assert text not in bytes_on_disk(database.parent)


def test_what_a_forgotten_person_cost_stays_without_the_person(database: Path, capsys: Captured) -> None:
    assert run("purge", "--all", "--yes", "--database", database) == 0
    assert run("stats", "--json", "--database", database) == 0
    (shown,) = lines(capsys)
    assert shown["month"] == {
        "answers": 1, "input_tokens": 100, "output_tokens": 20, "cost": 0.003, "unpriced": 0,
        "cached_tokens": 0, "searches": 0,
    }  # fmt: skip


def test_old_turns_are_removed_and_new_ones_stay(database: Path, capsys: Captured) -> None:
    assert run("purge", "--older-than", "0.5", "--yes", "--database", database) == 0
    assert "0 turns removed" in capsys.readouterr().err
    assert run("purge", "--older-than", "0", "--yes", "--database", database) == 0
    assert len(all_exported(database, capsys)) < 12  # the clock of the builders runs ahead by a second or two


def test_a_purge_asks_and_takes_nothing_for_a_yes(
    database: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("purge", "--all", "--database", database) == 1
    assert "there is no terminal to ask on; confirm with --yes" in capsys.readouterr().err

    class Terminal:
        said = "no\n"

        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return self.said

    terminal = Terminal()
    monkeypatch.setattr("sys.stdin", terminal)
    for terminal.said in ("no\n", "\n", ""):
        assert run("purge", "--all", "--database", database) == 1
        assert (
            "12 turns will be deleted permanently\nContinue? (yes/no)\nnothing was deleted\n"
            in capsys.readouterr().err
        )
    terminal.said = "yes\n"
    assert run("purge", "--all", "--database", database) == 0


def test_an_export_into_a_file_is_whole_and_private(database: Path, tmp_path: Path, capsys: Captured) -> None:
    target = tmp_path / "turns.jsonl"
    assert run("export", target, "--database", database) == 0
    assert len(target.read_text().splitlines()) == 12
    assert target.stat().st_mode & 0o777 == 0o600
    assert run("export", target, "--person", 10, "--database", database) == 1
    assert "already exists" in capsys.readouterr().err
    assert run("export", target, "--person", 10, "--force", "--database", database) == 0
    assert [json.loads(line)["kind"] for line in target.read_text().splitlines()] == [
        *("turn", "turn", "open question", "participation", "usage")
    ]


def test_a_reader_that_has_seen_enough_ends_it_quietly(database: Path) -> None:
    """And a full disk behind stdout is told in one sentence."""
    command = [sys.executable, "-m", "discordianai", "conversations", "export", "--database", str(database)]
    done = subprocess.run(  # noqa: S603  # our own
        ["/bin/sh", "-c", '"$@" | true; "$@" > /dev/full; echo "status $?" >&2', "sh", *command],
        stderr=subprocess.PIPE, text=True, timeout=30, check=False
    )  # fmt: skip
    assert done.stderr == "stdout: No space left on device\nstatus 1\n"


async def test_every_line_ends_where_any_reader_takes_it_to_end(tmp_path: Path) -> None:
    path = tmp_path / DATABASE
    said = Turn(Role.USER, "one\ntwo\u2028three\u2029four\x85five\x0csix é 👩", NOW)
    async with open_store(path, pace=SLOW) as store:
        await store.append(ANN, [said])
    with operator_connection(path) as connection:
        (line,) = exported(connection, Selection(), lambda _done, _total: None)
    assert len(line.splitlines()) == 1
    assert json.loads(line)["text"] == said.text
    assert "é 👩" in line


def test_without_a_database_it_says_how_to_name_one(tmp_path: Path, capsys: Captured) -> None:
    database = tmp_path / "none.sqlite3"
    for command in (("stats",), ("export",), ("purge", "--all", "--yes")):
        assert run(*command, "--database", database) == 1
        sentence = (
            f"there is no database {database}; name it with --database PATH, or --from PATH for a move\n"
        )
        assert capsys.readouterr().err == sentence
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", ["0", "-1", "x", "1.5", str(2**63)])
def test_an_id_that_cannot_be_is_refused(wrong: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        run("purge", f"--person={wrong}")
    assert "is not an id" in capsys.readouterr().err


def test_the_database_is_found_by_the_settings_without_any_secret(
    database: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for name in ("DISCORD_TOKEN", "OPENAI_API_KEY", "PERPLEXITY_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    settings = database.parent / "settings.toml"
    settings.write_text(f'[discord]\ntoken = ""\n[conversations]\ndatabase = "{database}"\n')
    assert run("stats", "--settings", settings) == 0
    settings.write_text("[conversations]\ndatabse = 1\n")
    assert run("stats", "--settings", settings) == 78
    assert "did you mean database?" in capsys.readouterr().err


def test_the_commands_do_without_the_discord_library(database: Path) -> None:
    script = (
        "import sys; from discordianai.cli.main import main; main(sys.argv[1:]);"
        " print({'interactions', 'aiohttp', 'trio', 'structlog'} & set(sys.modules))"
    )
    done = subprocess.run(  # noqa: S603  # our own
        [sys.executable, "-c", script, "conversations", "stats", "--database", str(database)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "set()"


async def key_of(database: Path) -> bytes:
    async with open_store(database, pace=SLOW) as store:
        return await store.identifier_key()


def test_a_name_of_the_log_leads_back_to_its_person_and_server(
    database: Path, tmp_path: Path, capsys: Captured
) -> None:
    """Whoever is in the database, on a list of the settings, or among the ids that are named."""
    names = Pseudonyms(trio.run(key_of, database))
    settings = tmp_path / "settings.toml"
    settings.write_text("[discord]\nblocked_user_ids = [987654321012345678]")
    more = ("--database", database, "--settings", settings)
    assert run("who", names.of(ANN.person_id), *more) == 0
    assert capsys.readouterr().out == f"person {ANN.person_id}\n"
    assert run("who", names.of(987654321012345678), *more) == 0
    assert capsys.readouterr().out == "id 987654321012345678\n"
    assert run("who", names.of(55), 54, 55, *more) == 0
    assert capsys.readouterr().out == "id 55\n"
    assert run("who", names.of(56), 54, 55, *more) == 1
    assert "give more ids to try" in capsys.readouterr().err
    assert run("who", 56, *more) == 0
    assert capsys.readouterr().out == f"{names.of(56)}\n"
    with pytest.raises(SystemExit):
        run("who", "somebody", *more)
