"""The endpoints of REST about interactions: the first response, and the messages of their webhook."""

from starlette.requests import Request

from discordianai.sandbox.discord.api_objects import Json
from discordianai.sandbox.discord.local_discord import LocalDiscord
from discordianai.sandbox.discord.message_parts import message_body
from discordianai.sandbox.discord.sandbox_interaction import Interaction
from discordianai.sandbox.discord.sandbox_message import (
    EPHEMERAL,
    LOADING,
    EndpointResult,
    RestError,
    SandboxMessage,
)

CHANNEL_MESSAGE, DEFERRED_MESSAGE, DEFERRED_UPDATE, UPDATE, AUTOCOMPLETE, MODAL = 4, 5, 6, 7, 8, 9


class InteractionEndpoints:
    """Their names are those of `RestServer.routes`."""

    def __init__(self, discord: LocalDiscord) -> None:
        self._discord = discord

    async def respond(self, request: Request) -> EndpointResult:
        """The initial response to an interaction."""
        interaction = self._interaction(request)
        body, files = await message_body(self._discord, request, interaction.channel.id)
        kind, data = body["type"], body.get("data") or {}
        private = EPHEMERAL if interaction.forced_private else int(data.get("flags") or 0) & EPHEMERAL
        message = self._discord.message(interaction.channel.id, private)
        if kind == CHANNEL_MESSAGE:
            message.update(data, files)
        interaction.acknowledge(kind, self._discord.now())
        if kind == AUTOCOMPLETE:
            interaction.choices = [choice["value"] for choice in data["choices"]]
        if kind == MODAL:
            interaction.form = data
        if kind == DEFERRED_MESSAGE:
            message.flags |= LOADING
        if kind in {DEFERRED_UPDATE, UPDATE} and interaction.source is not None:
            interaction.messages.append(interaction.source)  # @original, from then on
        if kind in {CHANNEL_MESSAGE, DEFERRED_MESSAGE}:
            interaction.messages.append(message)
        interaction.changed()
        if request.query_params.get("with_response") in {"true", "1"}:
            return 200, _callback_response(interaction, kind, message)
        return 204, None

    async def follow_up(self, request: Request) -> EndpointResult:
        """Create a follow-up message; the first one after a deferral becomes the original response."""
        interaction = self._interaction(request)
        interaction.check_token(self._discord.now())
        body, files = await message_body(self._discord, request, interaction.channel.id)
        original = interaction.messages[0] if interaction.messages else None
        if original is not None and original.loading:
            message = original
            message.update(body, files)
        else:
            interaction.check_follow_up_limit()
            private = EPHEMERAL if interaction.forced_private else int(body.get("flags") or 0) & EPHEMERAL
            message = self._discord.message(interaction.channel.id, private)
            message.update(body, files)
            interaction.messages.append(message)
        interaction.changed()
        return 200, message.json()

    async def read(self, request: Request) -> EndpointResult:
        """A message of an interaction."""
        return 200, self._message(request)[1].json()

    async def edit(self, request: Request) -> EndpointResult:
        """Edit a message of an interaction."""
        interaction, message = self._message(request)
        message.update(*await message_body(self._discord, request, message.channel_id))
        interaction.changed()
        return 200, message.json()

    async def delete(self, request: Request) -> EndpointResult:
        """Delete a message of an interaction."""
        interaction, message = self._message(request)
        message.deleted = True
        interaction.changed()
        return 204, None

    def _interaction(self, request: Request) -> Interaction:
        interaction = self._discord.interactions.get(request.path_params["token"])
        if interaction is None:
            raise RestError(404, 10015, "Unknown Webhook")
        return interaction

    def _message(self, request: Request) -> tuple[Interaction, SandboxMessage]:
        interaction = self._interaction(request)
        interaction.check_token(self._discord.now())
        return interaction, interaction.find(request.path_params["message"])


def _callback_response(interaction: Interaction, kind: int, message: SandboxMessage) -> Json:
    about = {
        "id": str(interaction.id),
        "type": 2,
        "response_message_id": str(message.id),
        "response_message_loading": message.loading,
        "response_message_ephemeral": message.private,
    }
    return {"interaction": about, "resource": {"type": kind, "message": message.json()}}
