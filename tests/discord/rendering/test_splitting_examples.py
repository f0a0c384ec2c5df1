"""What cutting does in single cases, one by one; `test_splitting` has what is always so."""

import re

import pytest

from discordianai.discord.rendering.characters import units
from discordianai.discord.rendering.splitting import MESSAGE_LIMIT, closed, cut, settled, split


def test_the_limit_is_discords() -> None:
    assert MESSAGE_LIMIT == 2000
    assert split("x" * 2000) == ["x" * 2000]
    assert split("x " * 2000) == ["x " * 999 + "x", "x " * 1000]
    assert [units(part) for part in split("😀" * 1500)] == [2000, 1000]
    assert [len(part) for part in split("\ud83d" * 3000)] == [2000, 1000]
    assert split("") == split(" \n ") == []
    with pytest.raises(ValueError, match="every character"):
        split("x", 1)


def test_code_keeps_its_indentation_and_its_fences() -> None:
    code = "\n".join(f"    line {number}" for number in range(20))
    parts = split(f"```py\n{code}\n```", 100)
    assert all(part.startswith("```py\n    line") and part.endswith("\n```") for part in parts)
    assert re.findall(r"    line \d+", "\n".join(parts)) == code.split("\n")


def test_an_address_ends_where_a_link_begins() -> None:
    address = "https://example.org/path/to/something?with=query&and=more" * 2 + "wordword"
    link = "[a page](https://example.org/a)"
    assert split(address + link, 150) == [address, link]
    assert split(address + "[0]=1 " + link, 150) == [address + "[0]=1", link]


def test_whether_an_address_ends_is_open_while_a_link_is_half_written() -> None:
    first = f"{'word ' * 4}https://example.org/{'x' * 60}"
    text = f"{first}[a-page-of-ours and its name](https://example.org/a) and {'more words ' * 8}"
    parts = {cut(text[:end], 110)[0] for end in range(len(text)) if settled(text[:end], 110)}
    assert parts == {first} == {cut(text, 110)[0]}


def test_an_open_block_is_closed_where_the_text_ends() -> None:
    assert split("```py\nx = 1") == ["```py\nx = 1\n```"]
    assert cut("```py\nx = 1\n") == ("```py\nx = 1\n```", "")
    assert closed("text\n```py\nx = 1") == "text\n```py\nx = 1\n```"
    assert closed("```") == "```\n```"
    assert closed("`text`") == "`text`"


def test_the_texts_own_closing_line_is_not_left_alone() -> None:
    assert split(f"```\n{'x' * 32}\n```\nAfter.", 40) == [f"```\n{'x' * 32}\n```", "After."]
    assert split(f"```\n{'x' * 32}\n\n\n````\nAfter.", 40) == [f"```\n{'x' * 32}\n```", "After."]


def test_a_block_that_begins_late_begins_in_the_next_message() -> None:
    assert split(f"{'word ' * 8}\n```\n{'x = 1' * 4}\n```", 60) == [
        ("word " * 8).strip(),
        f"```\n{'x = 1' * 4}\n```",
    ]


def test_a_block_in_a_quote_stays_in_it() -> None:
    text = "> ```js\n" + "> let x = 1;\n" * 4 + "> ```\nAfter."
    assert split(text, 60) == [
        "> ```js\n> let x = 1;\n> let x = 1;\n> let x = 1;\n> ```",
        "> ```js\n> let x = 1;\n> ```\nAfter.",
    ]
    first, second = split(f"> ```\n> {'x' * 60}\n> ```", 50)
    assert first == f"> ```\n> {'x' * 36}\n> ```"
    assert second == f"> ```\n> {'x' * 24}\n> ```"


def test_a_block_in_a_list_does_not_repeat_the_items_mark() -> None:
    assert split("1. ```sh\n   first command\n   second command\n   ```", 40) == [
        "1. ```sh\n   first command\n   ```",
        "   ```sh\n   second command\n   ```",
    ]


def test_the_limit_wins_over_what_is_longer() -> None:
    assert "".join(split(f"[{'x' * 50}](https://example.org)", 40)) == f"[{'x' * 50}](https://example.org)"
    assert "".join(split("```" + "x" * 5000)) == "```" + "x" * 5000
    assert [len(part) for part in split("a" + "\u0301" * 5000)] == [2000, 2000, 1001]


def test_inline_code_stays_whole_but_rather_than_that_a_link() -> None:
    assert split(f"{'word ' * 10}`a b c d e f`", 60) == [("word " * 10).strip(), "`a b c d e f`"]
    assert split(f"`{'x' * 32} [a` b](https://example.org/abc)", 60)[1] == "[a` b](https://example.org/abc)"


def test_a_link_in_code_is_rather_not_torn_than_kept_beside_what_is_before() -> None:
    code = f"```\n{' ' * 30}[a page](https://example.org/a)\n```"
    assert split(f"{'x' * 15}\n{code}", 80) == ["x" * 15, code]
    assert split(f"One.\n```\nhttps://{'x' * 50}\n```", 60)[0].startswith(
        "One.\n```\nhttps://x"
    )  # it is too long


def test_a_mark_keeps_the_space_that_it_combines_with() -> None:
    assert split("x" * 50 + "  \u0301y", 50) == ["x" * 50, " \u0301y"]


def test_a_line_keeps_its_indentation_but_not_one_that_fills_the_message() -> None:
    assert split(f"{'x' * 40}\n  - {'y' * 20}", 50) == ["x" * 40, f"  - {'y' * 20}"]
    assert split(f"{'x' * 40}\n{' ' * 45}y", 50) == ["x" * 40, "y"]


def test_what_is_invisible_is_not_torn_either() -> None:
    assert [len(part) for part in split("\u115f\u1160" * 50, 51)] == [50, 50]
    assert split("\u0600\ud83d\ude00", 2) == ["\u0600", "\ud83d\ude00"]
    parts = split(f"{'word ' * 8}\n```\nx\n```\n\u200b", 50)
    assert parts == [f"{'word ' * 8}\n```\nx\n```", "\u200b"]


def test_a_link_that_is_half_written_where_a_message_ends_is_waited_for() -> None:
    text = f"{'word ' * 10}[a page]"
    assert not settled(text, 60)
    assert not settled(f"{text}(https://exa", 60)
    assert settled(f"{text}(https://example.org) ", 60)
    assert cut(f"{text}(https://example.org) ", 60)[0] == ("word " * 10).strip()
    assert settled(f"{text} and others", 60)
    assert cut(f"{text} and others", 60)[0] == text
    assert len(cut(f"{'word ' * 4}[{'word ' * 10}", 60)[0]) > 50  # it is none if that is all


def test_an_address_is_waited_for() -> None:
    text = f"{'word ' * 4}https://{'x' * 37}"
    assert not settled(text, 60)
    assert settled(f"{text} ", 60) is settled(f"{text} y", 60) is True


def test_a_fence_that_is_half_written_where_a_message_ends_is_waited_for() -> None:
    text = f"{'word ' * 6}\n\n{'word ' * 5}\n"
    assert not settled(f"{text}```py", 60)
    assert cut(f"{text}```py\ncode", 60)[0] == f"{text}".strip()
    assert cut(f"{text}```py`", 60)[0] == ("word " * 6).strip()
    assert settled(f"{text}```py\ncode", 60)
    assert settled(f"{text}```py` and so on", 60)
    assert settled(f"{text}~~~ {'word ' * 8}", 60)  # that is no language


def test_a_closing_fence_is_waited_for() -> None:
    text, code = f"```\n{'x' * 52}\n\n\n", "x = 1\n"
    assert not settled(f"{text}``", 60)
    assert not settled(f"{text}```", 60)
    assert settled(f"{text}```\nmore", 60)
    assert settled(f"{text}```more", 60)
    assert settled(f"```\n{code * 2}echo `date\n{code * 6}", 60)  # in code a backtick begins nothing


def test_something_visible_is_waited_for() -> None:
    assert not settled("x" * 60 + "\u200b", 60)
    assert settled("x" * 60 + "\u200by", 60)
