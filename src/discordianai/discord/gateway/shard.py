"""Keeps one shard connected: begins a session, and after its end the next one, at a growing interval."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
import trio

from discordianai.discord.gateway.identifies import USED_UP, IdentifyPacer
from discordianai.discord.gateway.session_limit import GatewayUnavailable, ListenerRefused, SessionEnded
from discordianai.discord.shard_statistics import ShardCounter


class Shard:
    """One of the bot's `total` shards. Outlives its sessions.

    `settle` is called with its number whenever a session has begun (True), or has failed (False); on any
    thread.
    """

    def __init__(
        self,
        shard_id: int,
        total: int,
        starts: IdentifyPacer,
        figures: ShardCounter,
        settle: Callable[[int, bool], object] = lambda _shard_id, _begun: None,
    ) -> None:
        self.id = shard_id
        self.total = total
        self.starts = starts
        self.figures = figures
        self.in_session = False
        """Whether it has a session, which may be about to be resumed."""
        self._settle = settle
        log = structlog.get_logger("discordianai.discord.gateway.shard")
        self._report = _FailureReport(figures, log if total == 1 else log.bind(shard=f"{shard_id}/{total}"))

    def note_begun(self) -> None:
        """Discord has sent READY."""
        self.in_session = True
        self._settle(self.id, True)

    async def keep_connected(self, listen: Callable[[], Awaitable[object]]) -> None:
        """Run `listen`, each time for one session, again and again, as fast as Discord allows.

        Ends only by `ListenerRefused` or cancellation. `listen` calls `starts.turn` before each IDENTIFY, and
        `starts.backoff.establish` after READY.
        """
        while True:
            await trio.sleep(self.starts.backoff.delay())
            self.starts.backoff.begin()
            try:
                if wait := await self.starts.allow():
                    self._report.add(USED_UP, wait)
                    self._settle(self.id, False)
                    await trio.sleep(wait)
                    continue
                await trio.sleep(self.starts.reserve())
                await listen()
                failure: Exception = SessionEnded("the library ended by itself")
            except ListenerRefused as refused:
                self.figures.note_refusal(str(refused))
                self._settle(self.id, False)
                raise
            except Exception as error:
                failure = error
            finally:
                self.in_session = False
            self.starts.lose(failure)
            self._report.note(failure, self.starts)
            self._settle(self.id, False)


@dataclass(slots=True)
class _FailureReport:
    """Reports why there is no session: in the figures each time, in the log once for each reason."""

    figures: ShardCounter
    log: structlog.stdlib.BoundLogger
    logged: set[str] = field(default_factory=set)

    def note(self, failure: Exception, starts: IdentifyPacer) -> None:
        if not starts.backoff.failures:
            self.logged.clear()
        self.add(why(failure, self.log), starts.backoff.delay())

    def add(self, reason: str, seconds: float) -> None:
        self.figures.note_wait(reason, seconds)
        seconds = round(seconds, 1)
        if reason in self.logged:
            self.log.debug("trying again", reason=reason, seconds=seconds)
        elif reason == USED_UP:
            self.log.error("too many starts today: waiting until Discord allows more", seconds=seconds)
        else:
            self.log.warning("the listener stopped; starting it again", reason=reason, seconds=seconds)
        self.logged.add(reason)


def why(failure: Exception, log: structlog.stdlib.BoundLogger) -> str:
    """A description of the error that contains nothing received from outside."""
    if isinstance(failure, SessionEnded | GatewayUnavailable):
        return str(failure)
    log.debug("the listener failed", exc_info=failure)
    return type(failure).__name__
