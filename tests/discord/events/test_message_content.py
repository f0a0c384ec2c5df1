"""What is read of a message beside its text, and that hostile parts of it cost nothing but themselves."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from discordianai.discord.events import message_event
from discordianai.discord.events.message_content import MAX_PARTS, content_of
from discordianai.discord.events.message_event import IncomingMessage
from tests.discord.events.test_payload import ANY_JSON, COMPONENTS, EMBED, EVENTS, MESSAGE, POLL


def parsed(event: dict[str, Any]) -> IncomingMessage:
    message = message_event.parse(event, 99)
    assert message is not None
    return message


def test_each_kind_of_content_is_read_in_the_words_that_people_see() -> None:
    replied_to = parsed(EVENTS["reply"]).replied_to
    assert replied_to is not None
    assert (replied_to.text, replied_to.author, replied_to.author_id) == ("look", "Ann", 201)
    assert replied_to.parts == (
        "[Embed] A paper · Llamas\nThey spit.\nWhen: cross\npage 3",
        "[Poll] Do llamas spit?\n- yes (1 vote)\n- no (3 votes)",
        "# Opening hours",
        "nine to five",
        "[Picture] a map",
        "[Sticker] Wave",
    )


def test_an_answer_of_a_poll_may_be_an_emoji_alone() -> None:
    """Discord says not to count on there being a text."""
    pizza, cat = {"name": "🍕"}, {"id": "5", "name": "cat"}
    answers = [{"poll_media": {"emoji": pizza}}, {"poll_media": {"text": "nothing", "emoji": cat}}]
    poll = {"question": {"text": "Lunch?"}, "answers": [*answers, {"poll_media": {"emoji": cat}}]}
    assert content_of({"poll": poll}).parts == ("[Poll] Lunch?\n- 🍕\n- nothing\n- cat",)


def test_pictures_that_are_shown_go_along_with_the_files_and_those_elsewhere_are_not_thumbnails() -> None:
    """A thumbnail beside an embed is a logo, as a rule; that of a link to a picture is the picture."""
    files = content_of({"embeds": [EMBED], "components": COMPONENTS}).files
    assert [file.name for file in files] == ["llama.png", "door.webp", "m.png", "h.txt"]
    assert files[0].expires_at == 0x6553F100
    assert all(file.quoted for file in files)
    link = {"type": "image", "thumbnail": {"url": "https://media.discordapp.net/a.png"}}
    assert [file.name for file in content_of({"embeds": [link]}).files] == ["a.png"]


def test_what_a_component_shows_and_is_attached_too_goes_along_once() -> None:
    url = "https://cdn.discordapp.com/m.png"
    attached = {"filename": "m.png", "url": f"{url}?ex=1", "size": 7}
    (file,) = content_of({"attachments": [attached], "components": COMPONENTS[0]["components"][3:4]}).files
    assert (file.size, file.quoted) == (7, False)


def test_a_forwarded_message_is_read_and_has_no_author() -> None:
    (forwarded,) = parsed(EVENTS["forward"]).content.forwarded
    assert (forwarded.text, forwarded.author, forwarded.author_id) == ("hear", "", None)
    assert forwarded.parts[0].startswith("[Embed] A paper")
    assert [file.name for file in forwarded.files] == ["a.txt", "llama.png"]


def test_a_reply_to_what_discord_does_not_show_is_one_to_a_missing_message() -> None:
    reply = {**MESSAGE, "type": 19, "message_reference": {"message_id": "4", "channel_id": "10"}}
    for event in (reply, {**reply, "referenced_message": None}, {**reply, "referenced_message": 5}):
        assert parsed(event).reply_missing
        assert parsed(event).replied_to is None
    assert not parsed(MESSAGE).reply_missing


@given(st.sampled_from(["embeds", "poll", "components", "sticker_items", "message_snapshots"]), ANY_JSON)
def test_a_part_that_is_malformed_costs_neither_the_question_nor_the_other_parts(key: str, odd: Any) -> None:
    """The text and the sound embed are there all the same."""
    good = EMBED if key != "embeds" else {"title": "unharmed"}
    message = {"content": "words", "embeds": [good], "poll": POLL, key: odd}
    assert content_of(message).text == "words"
    embeds = [odd, {"title": odd, "image": odd}, {"author": odd}, EMBED, {"fields": [odd], "title": "last"}]
    components = [odd, {"type": odd}, {"type": 10, "content": odd}, {"type": 9, "accessory": odd}]
    stickers = [{"name": odd}, {"name": "Wave"}]
    said = content_of({"embeds": embeds, "components": components, "sticker_items": stickers}).parts
    assert any("They spit." in part for part in said)
    assert {"[Embed] last", "[Sticker] Wave"} <= set(said)
    parsed({**MESSAGE, "type": 19, "referenced_message": {key: odd}})


def test_components_are_bounded_however_deep_or_many() -> None:
    deep: dict[str, Any] = {"type": 10, "content": "the end"}
    for _ in range(5000):
        deep = {"type": 17, "components": [deep]}
    many = [{"type": 10, "content": str(number)} for number in range(5000)]
    assert content_of({"components": [deep]}).parts == ()
    assert len(content_of({"components": many}).parts) == MAX_PARTS
    assert len(content_of({"embeds": [{"title": "x"}] * 5000}).parts) == MAX_PARTS


def test_a_file_name_has_nothing_in_it_that_ends_a_line_or_a_fence() -> None:
    file = {
        "filename": "a\n```\u202egpj\x00\u2028b.txt",
        "url": "https://cdn.discordapp.com/a",
        "size": 1,
    }
    (read,) = content_of({"attachments": [file]}).files
    assert read.name == "a_____gpj__b.txt"


@given(st.sampled_from(["filename", "url", "size", "content_type"]), st.one_of(st.none(), ANY_JSON))
def test_whatever_is_wrong_with_a_file_it_is_one(key: str, odd: Any) -> None:
    """It is read, or else the person is told that it could not be; a message is not passed over for it."""
    file = {"filename": "a.txt", "url": "https://cdn.discordapp.com/a", "size": 1, key: odd}
    missing = {name: value for name, value in file.items() if name != key}
    for each in (file, missing, odd):
        (read,) = parsed({**MESSAGE, "attachments": [each]}).content.files
        assert read.name
        assert isinstance(read.url, str)
        assert isinstance(read.size, int)


@given(ANY_JSON)
def test_a_mention_is_seen_among_whatever_else_is_mentioned(odd: Any) -> None:
    """And a message of which nobody can tell who sees it is one person's alone."""
    event = {**MESSAGE, "mentions": [odd, {"id": odd}, {"id": "99"}], "mention_roles": [odd, "7"]}
    message = parsed({**event, "flags": "odd"})
    assert message.mentions_bot
    assert 7 in message.mentioned_role_ids
    assert message.content.private
    assert parsed({**MESSAGE, "mentions": odd, "mention_roles": odd})


def test_a_size_that_is_none_costs_no_file_and_a_title_no_embed() -> None:
    url = "https://cdn.discordapp.com/attachments/1/2/a.txt"
    for size in (-1, 1.5, "big", None):
        (file,) = content_of({"components": [{"type": 13, "file": {"url": url}, "size": size}]}).files
        assert (file.url, file.size) == (url, 0)
    forwarded = {"message": {"content": 5, "attachments": [{"url": url}]}}
    (kept,) = content_of({"content": "", "message_snapshots": [forwarded]}).files
    assert kept.url == url
    odd = {"title": 5, "description": "hello", "author": 7, "footer": {"text": []}}
    assert content_of({"embeds": [odd]}).parts == ("[Embed] hello",)
