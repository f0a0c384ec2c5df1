"""What people do and see in the local Discord, whoever shows it to them."""

import pytest

from discordianai.sandbox.chat import MOST_PEOPLE, SHOWN, Chat
from discordianai.sandbox.discord import CHANNELS, DiscordOptions, Interaction, LocalDiscord, direct_messages
from discordianai.sandbox.discord.sandbox_message import EPHEMERAL

GENERAL, HELP = CHANNELS[0], CHANNELS[1]


@pytest.fixture
def chat() -> Chat:
    """A Discord with one command, and no bot."""
    discord = LocalDiscord(DiscordOptions())
    options = [{"name": "prompt", "type": 3}, {"name": "private", "type": 5}]
    discord.registered[None] = {
        "ask": {"id": "1", "name": "ask", "type": 1, "options": options},
        "Ask about this": {"id": "2", "name": "Ask about this", "type": 3},
    }
    return Chat(discord)


def asked(chat: Chat, name: str, line: str, answer: str, *, private: bool = False) -> Interaction:
    """A person asks in general, and the bot answers."""
    interaction = chat.send(line, chat.person(name), GENERAL)
    assert interaction is not None
    message = chat.discord.message(GENERAL.id, EPHEMERAL if private else 0)
    message.update({"content": answer}, {})
    interaction.messages.append(message)
    return interaction


def seen(chat: Chat, name: str) -> list[tuple[str, str]]:
    """What a person sees in general: above a message, and in it."""
    return [(entry.context, entry.text) for entry in chat.entries(chat.person(name), GENERAL)]


def test_a_private_answer_is_seen_by_its_person_alone(chat: Chat) -> None:
    """And nobody else can press its buttons, or use its menu."""
    asked(chat, "alice", "/ask why", "because")
    secret = asked(chat, "alice", "/ask private:true what", "a secret", private=True)
    assert seen(chat, "alice") == [
        ("alice used /ask prompt: why", "because"),
        ("alice used /ask private: true prompt: what", "a secret"),
    ]
    assert seen(chat, "bob") == [("alice used /ask prompt: why", "because")]
    with pytest.raises(ValueError, match="not there any more"):
        chat.press(chat.person("bob"), secret.messages[0].id, "stop:1:2")
    with pytest.raises(ValueError, match="not there any more"):
        chat.use_menu(chat.person("bob"), GENERAL, secret.messages[0].id, "Ask about this")


def test_a_message_is_in_its_channel_and_in_no_other(chat: Chat) -> None:
    """Direct messages are those of one person and the bot."""
    alice, bob = chat.person("alice"), chat.person("bob")
    direct = direct_messages(alice)
    chat.send("hello", alice, direct)
    chat.send("@DiscordianAI hello", alice, HELP)
    assert [entry.text for entry in chat.entries(alice, direct)] == ["hello"]
    assert [entry.text for entry in chat.entries(bob, HELP)] == ["@DiscordianAI hello"]
    assert chat.entries(alice, GENERAL) == []
    with pytest.raises(ValueError, match="no such channel"):
        chat.channel(bob, direct.id)


def test_a_deleted_message_is_gone(chat: Chat) -> None:
    """An edited one is marked."""
    interaction = asked(chat, "alice", "why", "because")
    interaction.messages[0].update({"content": "because of that"}, {})
    assert [entry.edited for entry in chat.entries(chat.person("alice"), GENERAL)] == [True]
    interaction.messages[0].deleted = True
    assert seen(chat, "alice") == []


def test_a_form_is_sent_once_by_whom_it_was_opened_for(chat: Chat) -> None:
    """Or closed, and then it is not sent."""
    alice, bob = chat.person("alice"), chat.person("bob")
    message = asked(chat, "alice", "why", "because").messages[0]
    field = {"type": 4, "custom_id": "text", "label": "Your question"}
    for _ in range(2):
        opened = chat.use_menu(alice, GENERAL, message.id, "Ask about this")
        opened.form = {"title": "Ask", "custom_id": "x", "components": [{"type": 1, "components": [field]}]}
    assert chat.form(bob) is None
    last = chat.form(alice)
    assert last is not None
    with pytest.raises(ValueError, match="not open"):
        chat.submit(bob, last.id, "why?")
    chat.dismiss(alice, last.id)
    first = chat.form(alice)
    assert first is not None
    assert first.id != last.id
    sent = chat.submit(alice, first.id, "why?")
    assert sent.payload["data"]["components"][0]["components"][0]["value"] == "why?"
    assert chat.form(alice) is None
    with pytest.raises(ValueError, match="not open"):
        chat.submit(alice, first.id, "why?")


def test_there_is_an_end_to_what_is_shown(chat: Chat) -> None:
    """Of messages the newest, and so many people."""
    for number in range(SHOWN + 5):
        chat.send(f"@DiscordianAI {number}", chat.person("alice"), GENERAL)
    texts = [text for _, text in seen(chat, "alice")]
    assert len(texts) == SHOWN
    assert texts[-1] == f"@DiscordianAI {SHOWN + 4}"
    while len(chat.people) < MOST_PEOPLE:
        chat.person(f"person {len(chat.people)}")
    with pytest.raises(ValueError, match=f"There are {MOST_PEOPLE} people already"):
        chat.person("one more")
