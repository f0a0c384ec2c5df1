"""What Discord refuses for good, in sentences that say what to do."""

from interactions.client.errors import LoginError, WebSocketClosed

from discordianai.discord.gateway.intents import GRANT_IT
from discordianai.discord.gateway.session_limit import WRONG_TOKEN

UPDATE = "update the bot"
SET_AUTO = 'set shards = "auto" in [discord]'

UNKNOWN_SHARD, SHARDS_REQUIRED = 4010, 4011

REFUSALS = {
    4004: WRONG_TOKEN,
    4012: f"Discord no longer supports the gateway version that the bot uses: {UPDATE}",
    4013: f"Discord does not know the intents that the bot asks for: {UPDATE}",
    4014: f"Discord refused the bot's intents: {GRANT_IT}",
}
"""Close codes of the gateway after which no retry helps; those of shards come in addition."""

FINAL_CODES = frozenset({*REFUSALS, UNKNOWN_SHARD, SHARDS_REQUIRED})


def refusal(error: BaseException | None, shard_id: int, total: int) -> str | None:
    """What the operator must change, if that is why Discord refused; the library has it in the context."""
    if isinstance(error, LoginError):
        return WRONG_TOKEN
    if isinstance(error, WebSocketClosed):
        return _of_code(error.code, shard_id, total)
    return refusal(error.__context__, shard_id, total) if error is not None else None


def _of_code(code: int, shard_id: int, total: int) -> str | None:
    if code == UNKNOWN_SHARD:
        return (
            f"Discord does not accept shard {shard_id} of {total}: check shards in [discord], or {SET_AUTO}"
        )
    if code == SHARDS_REQUIRED:
        shards = "one shard" if total == 1 else f"{total} shards"
        return f"the bot is in too many servers for {shards}: {SET_AUTO}, or a higher number"
    return REFUSALS.get(code)
