"""What the page shows, as JSON."""

from discordianai.sandbox.bot_switch import BotSwitch
from discordianai.sandbox.chat import Chat, Entry
from discordianai.sandbox.discord import Channel, User
from discordianai.sandbox.discord.api_objects import THREAD, Json
from discordianai.sandbox.faults import SWITCHES, FaultPanel


def state(chat: Chat, panel: FaultPanel, bot: BotSwitch, user: User, channel: Channel) -> Json:
    """All that one person sees of one channel, and what there is to choose from. Ids are texts."""
    form = chat.form(user)
    return {
        "revision": chat.discord.revision,
        "channel": str(channel.id),
        "people": chat.people,
        "channels": [_channel(each) for each in chat.channels(user)],
        "entries": [_entry(entry) for entry in chat.entries(user, channel)],
        "form": form and {"id": str(form.id), "title": form.title, "label": form.label},
        "menu": chat.menu,
        "commands": [_command(chat.discord.commands[name]) for name in _offered(chat, channel)],
        "bot": {"running": bot.running, "connected": chat.discord.is_connected},
        "faults": [
            {
                "name": switch.name,
                "group": switch.group,
                "help": switch.help,
                "lasts": switch.off is not None,
                "on": switch.name in panel.active,
            }
            for switch in SWITCHES.values()
        ],
    }


def _channel(channel: Channel) -> Json:
    if channel.guild_id is None:
        return {"id": str(channel.id), "name": "direct messages", "kind": "direct"}
    kind = "thread" if channel.kind == THREAD else "text"
    return {"id": str(channel.id), "name": channel.name, "kind": kind}


def _entry(entry: Entry) -> Json:
    return {
        "id": str(entry.id),
        "author": entry.author,
        "text": entry.text,
        "bot": entry.is_bot,
        "context": entry.context,
        "private": entry.private,
        "loading": entry.loading,
        "edited": entry.edited,
        "buttons": [
            {"id": each.custom_id, "label": each.label, "style": each.style} for each in entry.buttons
        ],
        "files": [{"name": name, "size": size} for name, size in entry.files],
    }


def _offered(chat: Chat, channel: Channel) -> list[str]:
    offered = chat.discord.offered(channel.guild_id)
    return [name for name in chat.discord.commands if name in offered and name not in chat.menu]


def _command(declared: Json) -> Json:
    return {
        "name": declared["name"],
        "description": declared["description"],
        "options": [
            {
                "name": option["name"],
                "description": option["description"],
                "required": bool(option.get("required")),
                "file": option["type"] == 11,
                "autocomplete": bool(option.get("autocomplete")),
                "choices": [str(choice["value"]) for choice in option.get("choices") or ()],
            }
            for option in declared.get("options", ())
        ],
    }
