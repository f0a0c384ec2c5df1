"""What Discord refuses as a kind, and what is about one message alone."""

import pytest
import trio
from trio.testing import MockClock

from discordianai.discord.messages.application_limits import ApplicationLimits
from discordianai.discord.messages.port import MessageError, MessageRefused, MessagesBusy, NotPermitted
from discordianai.discord.messages.refused_calls import REFUSED_FOR, Call

CLOUDFLARES = {"title": "Error 1015: You are being rate limited", "error_code": 1015}
WRITE = Call("POST /messages", 1)


async def test_a_403_is_remembered_for_its_channel_and_kind_of_call(autojump_clock: MockClock) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(403, {}, {"code": 50013}, WRITE, "no permission")
    with pytest.raises(MessageError, match="no permission, a short while ago"):
        await limits.enter(WRITE, 10.0)
    await limits.enter(Call(WRITE.kind, 2))
    await limits.enter(Call(f"{WRITE.kind} files", 1))
    await trio.sleep(REFUSED_FOR)
    await limits.enter(WRITE)
    limits.note(403, {}, {"code": 50013}, WRITE)
    limits.refused.forget(lambda channel: channel == 1)
    await limits.enter(WRITE)


@pytest.mark.parametrize(("code", "may_change"), [(50001, True), (50013, True), (160002, False)])
async def test_a_403_is_remembered_as_what_it_was(code: int, may_change: bool) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(403, {}, {"code": code}, WRITE)
    with pytest.raises(MessageRefused) as found:
        limits.refused.check(WRITE)
    assert isinstance(found.value, NotPermitted) is may_change


async def test_a_403_that_is_a_page_is_about_that_one_message(autojump_clock: MockClock) -> None:
    """A firewall before Discord looks at what a message says; a simpler form of it may pass."""
    limits = ApplicationLimits(trio.current_time)
    limits.note(403, {}, None, WRITE)
    await limits.enter(WRITE)
    assert limits.statistics().invalid_recently == 1


async def test_a_long_wait_of_one_kind_of_call_is_remembered_for_its_channel(
    autojump_clock: MockClock,
) -> None:
    """Ten minutes, as for renaming a channel: others find out without asking, and other calls go on."""
    limits, rename = ApplicationLimits(clock=trio.current_time), Call("PATCH ", 1)
    limits.note(429, {}, {"global": False, "retry_after": 600.0}, rename)
    with pytest.raises(MessagesBusy) as busy:
        await limits.enter(rename, 1000.0)
    assert busy.value.wait == pytest.approx(600.0)
    await limits.enter(WRITE)
    await limits.enter(Call(rename.kind, 2))
    await trio.sleep(600.0)
    await limits.enter(rename)


@pytest.mark.parametrize("body", [None, CLOUDFLARES, {"code": 200000}, {"code": 240000}, {"code": 50005}])
async def test_a_403_that_is_about_one_message_or_not_discords_is_not_remembered(
    autojump_clock: MockClock, body: object
) -> None:
    """A page of Cloudflare's, and what a filter has found in the words: the next message may pass."""
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(403, {}, body, WRITE)
    await limits.enter(WRITE)
    assert limits.statistics().invalid_recently == 1


@pytest.mark.parametrize("code", [50001, 50013, 0, None, "x", [1]])
async def test_any_other_403_is_remembered_whatever_its_code(autojump_clock: MockClock, code: object) -> None:
    limits = ApplicationLimits(clock=trio.current_time)
    limits.note(403, {}, {"code": code}, WRITE)
    with pytest.raises(MessageRefused):
        await limits.enter(WRITE)
