"""One bucket for each channel, whoever writes there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
import trio
import trio.testing

from discordianai.answering.reply import AnswerEnd
from discordianai.discord.messages import failure_notice
from discordianai.discord.messages.application_limits import PAGES_IN_A_ROW, ApplicationLimits
from discordianai.discord.messages.buckets import MOST_BUCKETS, OTHERS_WITHIN, Bucket, ChannelBuckets, Share
from discordianai.discord.messages.direct_messages import DirectMessages
from discordianai.discord.messages.fallbacks import FallbackMessages
from discordianai.discord.messages.port import MessageGone, MessagesBusy, MessagesExpired
from discordianai.discord.messages.posting import ChannelMessages, InteractionWebhook
from discordianai.discord.messages.reply import open_reply
from discordianai.discord.messages.reply_options import EditPace, ReplyOptions
from discordianai.discord.messages.rest import DiscordApi, Endpoint
from discordianai.records import ReplyAddress
from tests.discord.builders import question

OTHERS = range(1, 2 * MOST_BUCKETS)


async def test_a_channel_that_is_written_in_keeps_its_bucket_however_many_others_there_are() -> None:
    buckets = ChannelBuckets()
    held = buckets.bucket(0)
    for channel_id in OTHERS:
        buckets.bucket(channel_id)
    assert buckets.bucket(0) is held


async def test_what_discord_has_said_of_a_channel_outlasts_the_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    buckets = ChannelBuckets()
    buckets.bucket(0).close_for(5)
    for channel_id in OTHERS:
        buckets.bucket(channel_id)
    began = trio.current_time()
    async with buckets.bucket(0).turn():
        assert trio.current_time() == began + 5


async def test_channels_with_room_where_nobody_writes_cost_no_memory() -> None:
    buckets = ChannelBuckets()
    for channel_id in OTHERS:
        buckets.bucket(channel_id)
    assert len(buckets) <= MOST_BUCKETS


def _told(bucket: Bucket, left: int, reset_after: float) -> None:
    """As with each answer of Discord's in a channel: five requests in five seconds."""
    bucket.learn(left, 5, reset_after)


async def test_edits_that_may_be_left_out_are_spread_and_leave_a_place(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """An answer that streams alone for ten seconds: one request of each period is always left."""
    bucket, began, left = ChannelBuckets().bucket(0), trio.current_time(), 5
    sent: list[float] = []
    while trio.current_time() < began + 9.9:
        await trio.sleep_until(bucket.spare_at)
        sent.append(trio.current_time() - began)
        left = 4 if len(sent) % 4 == 1 else left - 1
        _told(bucket, left, 5 - sent[-1] % 5)
        assert left >= 1
        assert bucket.free_at <= trio.current_time()
    assert sent == pytest.approx([0, 1.25, 2.5, 3.75, 5, 6.25, 7.5, 8.75, 10])


async def test_one_who_is_written_much_leaves_places_for_others(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Three of five in any five seconds are one person's; nobody waits behind those that wait for more."""
    bucket, began = ChannelBuckets().bucket(0), trio.current_time()
    sent: dict[str, float] = {}

    async def write(name: str, person_id: int) -> None:
        async with bucket.turn(Share(person_id, 0)):
            sent[name] = trio.current_time() - began
            _told(bucket, 1, 5.0)

    await write("neighbour, before", 2)
    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(write, f"flood {number}", 1)
        await trio.sleep(0.1)
        await write("neighbour", 2)
    assert sent["neighbour"] == pytest.approx(0.1)
    flood = sorted(sent[f"flood {number}"] for number in range(6))
    assert flood == pytest.approx([0, 0, 0, 5, 5, 5])


async def test_who_is_alone_in_a_channel_has_all_of_it(autojump_clock: trio.testing.MockClock) -> None:
    """Also a minute after somebody else."""
    bucket, began = ChannelBuckets().bucket(0), trio.current_time()
    async with bucket.turn(Share(2, 0)):
        _told(bucket, 4, 5.0)
    await trio.sleep(OTHERS_WITHIN + 1)
    for _ in range(4):
        async with bucket.turn(Share(1, 0)):
            _told(bucket, 1, 5.0)
    assert trio.current_time() - began == pytest.approx(OTHERS_WITHIN + 1)


async def test_who_has_several_answers_at_once_leaves_places_though_nobody_else_is_there(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The next one may be the first of the others."""
    bucket, began = ChannelBuckets().bucket(0), trio.current_time()
    sent = []
    for answer in (1, 1, 2, 3, 3):
        async with bucket.turn(Share(1, answer)):
            sent.append(trio.current_time() - began)
            _told(bucket, 1, 5.0)
    assert sent == pytest.approx([0, 0, 0, 5, 5])


async def test_an_interactions_own_edits_need_not_leave_anything(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Its bucket is for one answer."""
    bucket = Bucket()
    _told(bucket, 1, 5.0)
    assert bucket.spare_at <= trio.current_time()
    _told(bucket, 0, 5.0)
    assert bucket.spare_at == trio.current_time() + 5.0


@pytest.mark.parametrize("limit", [0, 1])
async def test_a_limit_that_leaves_nothing_for_others_holds_nobody_for_ever(
    limit: int, autojump_clock: trio.testing.MockClock
) -> None:
    """As Discord might have it in some place."""
    bucket = ChannelBuckets().bucket(0)
    with trio.fail_after(20):
        for person_id in (1, 2, 1, 1, 2):
            async with bucket.turn(Share(person_id, 0)):
                bucket.learn(max(limit - 1, 0), limit, 1.0)
        await trio.sleep_until(bucket.spare_at)


Answer = tuple[int, dict[str, str], object]


@dataclass
class Discord:
    """Gives these answers, the last one again and again, and notes when each request came, and with what."""

    answers: list[Answer]
    came: list[float] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.came.append(trio.current_time())
        self.sent.append(request.content.decode())
        await trio.sleep(0.1)
        status, headers, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return httpx.Response(status, headers=headers, json=body)

    @asynccontextmanager
    async def api(self) -> AsyncIterator[DiscordApi]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.answer)) as client:
            limits = ApplicationLimits(clock=trio.current_time)
            yield DiscordApi(client, "https://discord.example/api/v10", "token", limits=limits)


TAKEN: Answer = (200, {}, {"id": "5"})


class SlowChannel(Discord):
    """Takes five requests in five seconds, as Discord does in a channel, and says so with each answer."""

    def __init__(self) -> None:
        super().__init__([TAKEN])
        self.refused = 0

    async def answer(self, _request: httpx.Request) -> httpx.Response:
        now = trio.current_time()
        lately = [came for came in self.came if came > now - 5.0]
        self.refused += len(lately) >= 5
        self.came.append(now)
        left, reset = str(max(4 - len(lately), 0)), (lately or [now])[0] + 5.0 - now
        told = {
            "x-ratelimit-limit": "5",
            "x-ratelimit-remaining": left,
            "x-ratelimit-reset-after": f"{reset:.3f}",
        }
        return httpx.Response(200, headers=told, json={"id": "5"})


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, {"retry_after": 8.5}, 8.5),
        ({"retry-after": "9"}, {"retry_after": "8.5"}, 8.5),
        ({"retry-after": "9"}, {"message": "no"}, 9.0),
        ({"x-ratelimit-scope": "shared", "retry-after": "60"}, {"retry_after": 60.0}, 60.0),
        ({"x-ratelimit-scope": "user", "retry-after": "60"}, "a text", 60.0),
    ],
)
async def test_a_429_of_a_bucket_is_waited_for_as_long_as_it_says_and_met_once(
    autojump_clock: trio.testing.MockClock, headers: dict[str, str], body: object, seconds: float
) -> None:
    discord, began = Discord([(429, headers, body), TAKEN]), trio.current_time()
    async with discord.api() as api:
        await ChannelMessages(api, 1).create({"content": "hi"})
    first, second = discord.came
    assert first == began
    assert second - first >= seconds
    assert second - first <= seconds + 2.0


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"retry-after": "40"}, "a page", 40.0),
        ({"retry-after": "12"}, "a page", 12.0),
        ({}, {"title": "Error 1200", "cloudflare_error": True, "retry_after": 12}, 12.0),
        ({"x-ratelimit-reset-after": "12"}, {}, 12.0),
    ],
)
async def test_a_503_that_says_when_is_asked_again_then(
    autojump_clock: trio.testing.MockClock, headers: dict[str, str], body: object, seconds: float
) -> None:
    discord = Discord([(503, headers, body), TAKEN])
    async with discord.api() as api:
        await ChannelMessages(api, 1).create({"content": "hi"})
    first, second = discord.came
    assert seconds <= second - first <= seconds + 2.0


async def test_what_one_meets_in_a_channel_holds_the_others_who_write_there(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Ten answers; not each has to find out for itself."""
    discord = Discord([(429, {}, {"retry_after": 9.0}), TAKEN])
    async with discord.api() as api, trio.open_nursery() as nursery:
        for number in range(10):
            messages = ChannelMessages(api, 1, person_id=number)
            nursery.start_soon(messages.create, {"content": "hi"})
    assert len(discord.came) == 11
    assert discord.came[1] - discord.came[0] >= 9.0


async def test_a_crowd_in_a_channel_is_answered_with_one_request_for_each(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Forty answers, as after a ban, that all grow for ten seconds: first words that came late would only
    keep the last ones away."""
    channel = SlowChannel()
    async with channel.api() as api, trio.open_nursery() as nursery:

        async def answer(number: int) -> None:
            place = ChannelMessages(api, 1, person_id=number, reply_to=number)
            async with open_reply(place, question(), ReplyOptions(EditPace(1.0))) as reply:
                for word in range(20):
                    reply.write(f"word{word} ")
                    await trio.sleep(0.5)
                reply.close(AnswerEnd())
                await reply.finish()
                ended.append(trio.current_time() - began)

        ended, began = list[float](), trio.current_time()
        for number in range(40):
            nursery.start_soon(answer, number)
    assert len(channel.came) <= 60
    assert channel.refused == 0
    assert max(ended) <= 60.0


async def test_a_wait_that_nobody_should_wait_for_is_told_at_once(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """In a channel as what it is; at an interaction as its end, so that the channel is tried instead."""
    long: Answer = (429, {"retry-after": "3600"}, {"retry_after": 3600.0})
    discord, began = Discord([long]), trio.current_time()
    address = ReplyAddress(1, 2, "token", 3, private=False, acknowledged_at=0.0)
    async with discord.api() as api:
        with pytest.raises(MessagesBusy):
            await ChannelMessages(api, 1).create({"content": "hi"})
        with pytest.raises(MessagesExpired):
            await InteractionWebhook(api, address).edit(None, {"content": "hi"})
        with pytest.raises(MessagesBusy):
            await ChannelMessages(api, 1).create({"content": "hi"})
    assert trio.current_time() - began < 5.0
    assert len(discord.came) == 2


async def test_a_thread_that_opens_only_in_minutes_is_not_waited_for(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The answer comes in the channel then, where messages are another kind of call."""
    discord = Discord([(429, {}, {"retry_after": 100.0}), TAKEN])
    async with discord.api() as api:
        channel, began = ChannelMessages(api, 1), trio.current_time()
        with pytest.raises(MessagesBusy):
            await channel.open_thread("why?")
        await channel.create({"content": "hi"})
    assert trio.current_time() - began <= 16.0


async def test_a_notice_is_not_sent_again_before_discord_takes_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Where that takes too long, whoever sends it tries another way at once."""
    address = ReplyAddress(1, 2, "token", 3, private=True, acknowledged_at=0.0)
    discord = Discord([(429, {}, {"retry_after": 7.0}), TAKEN])
    async with discord.api() as api:
        assert await failure_notice.say(api, address, "It failed.", person_id=5)
    first, second = discord.came
    assert second - first >= 7.0
    discord, began = Discord([(429, {}, {"retry_after": 600.0})]), trio.current_time()
    async with discord.api() as api:
        assert not await failure_notice.say(api, address, "It failed.", person_id=5)
    assert trio.current_time() - began < 1.0
    assert len(discord.came) <= 4  # each of its ways once


@pytest.mark.parametrize(
    "answer", [(429, {}, {"retry_after": 600.0}), (503, {"retry-after": "600"}, "a page")]
)
async def test_an_edit_that_may_be_left_out_is_not_tried_before_discord_takes_it(
    autojump_clock: trio.testing.MockClock, answer: Answer
) -> None:
    """As an answer streams, edits are tried whenever there is room, in a channel and at an interaction."""
    address = ReplyAddress(1, 2, "token", 3, private=False, acknowledged_at=0.0)
    for place in (
        lambda api: ChannelMessages(api, 1, original=5),
        lambda api: InteractionWebhook(api, address),
    ):
        discord, began = Discord([answer, TAKEN]), trio.current_time()
        async with discord.api() as api:
            messages = place(api)
            while len(discord.came) < 2:
                try:
                    await messages.try_edit(5, {"content": "hi"})
                except MessagesBusy:
                    await trio.sleep(1.0)
        assert discord.came[1] - began >= 600.0


@pytest.mark.parametrize("seconds", [7.0, 600.0])
async def test_a_notice_is_not_sent_again_before_an_error_of_discords_is_said_to_be_over(
    autojump_clock: trio.testing.MockClock, seconds: float
) -> None:
    address = ReplyAddress(1, 2, "token", 3, private=True, acknowledged_at=0.0, message_id=7)
    discord = Discord([(503, {"retry-after": f"{seconds:.0f}"}, "a page"), TAKEN])
    async with discord.api() as api:
        told = await failure_notice.say(api, address, "It failed.", person_id=5)
        assert told is (True if seconds < 20 else None)
    assert all(later - discord.came[0] >= seconds for later in discord.came[1:])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((503, {}, "a page"), None),
        ((503, {"retry-after": "600"}, "a page"), None),
        ((403, {}, {"code": 50013}), False),
        ((404, {}, {"code": 10015}), False),
    ],
)
@pytest.mark.parametrize("message_id", [None, 7])
async def test_a_notice_that_discord_cannot_take_now_differs_from_one_that_it_refuses(
    autojump_clock: trio.testing.MockClock, answer: Answer, told: bool | None, message_id: int | None
) -> None:
    """The former is worth another try."""
    address = ReplyAddress(1, 2, "token", 3, private=False, acknowledged_at=0.0, message_id=message_id)
    async with Discord([answer]).api() as api:
        assert await failure_notice.say(api, address, "It failed.", person_id=5) is told


async def test_what_must_arrive_outlasts_an_outage_of_discords(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Of a minute and a half, and is not sent very often meanwhile; a thread is not waited for as long."""
    began = trio.current_time()

    class Away(Discord):
        async def answer(self, request: httpx.Request) -> httpx.Response:
            response = await super().answer(request)
            if trio.current_time() - began < 90.0:
                raise httpx.ConnectError("refused", request=request)
            return response

    discord = Away([TAKEN])
    async with discord.api() as api:
        with pytest.raises(MessagesBusy):
            await ChannelMessages(api, 1).open_thread("why?")
        assert trio.current_time() - began < 20.0
        await ChannelMessages(api, 1).create({"content": "hi"})
    assert trio.current_time() - began < 120.0
    assert len(discord.came) <= 20


async def test_a_page_that_calls_itself_a_success_is_none(autojump_clock: trio.testing.MockClock) -> None:
    """Something on the way has answered, as a login page does: Discord has taken nothing."""
    address = ReplyAddress(1, 2, "token", 3, private=True, acknowledged_at=0.0)
    discord = Discord([(200, {}, "a page"), TAKEN])
    async with discord.api() as api:
        await InteractionWebhook(api, address).edit(None, {"content": "hi"})
    assert len(discord.came) == 2
    discord = Discord([(200, {}, "a page"), TAKEN])
    async with discord.api() as api:
        assert await failure_notice.say(api, address, "It failed.", person_id=5)
    assert len(discord.came) == 2


@pytest.mark.parametrize("seconds", [60.0, 600.0])
async def test_a_notice_waits_for_the_end_of_a_ban_as_answers_do(
    autojump_clock: trio.testing.MockClock, seconds: float
) -> None:
    """Else nobody would be told of what has failed, or was dropped, meanwhile."""
    address, began = ReplyAddress(1, 2, "token", 3, private=True, acknowledged_at=0.0), trio.current_time()
    discord = Discord([TAKEN])
    async with discord.api() as api:
        api.limits.note(429, {"retry-after": f"{seconds:.0f}"}, None)
        assert await failure_notice.say(api, address, "It failed.", person_id=5)
        api.limits.note(429, {"retry-after": f"{seconds:.0f}"}, None)
        assert await failure_notice.follow_up(api, address, "It was not done.")
        api.limits.note(429, {"retry-after": f"{seconds:.0f}"}, None)
        assert await DirectMessages(api).say(5, "It failed.", may_wait=False)
    assert [round(at - began) for at in discord.came[:2]] == [seconds, 2 * seconds]


@pytest.mark.parametrize("body", ["a page", {"global": True, "retry_after": 3600.0}])
async def test_an_answer_waits_for_the_end_of_a_ban_of_an_hour(
    autojump_clock: trio.testing.MockClock, body: object
) -> None:
    """As Cloudflare names it; and a minute longer, where it is not over then."""
    hour: Answer = (429, {"retry-after": "3600"}, body)
    discord, began = Discord([hour, (429, {}, "a page"), TAKEN]), trio.current_time()
    async with discord.api() as api:
        await ChannelMessages(api, 1).create({"content": "hi"})
    _, second, third = discord.came
    assert second - began >= 3600.0
    assert third - second >= 60.0


BLOCKED = {"message": "internal network error", "code": 40333}


@pytest.mark.parametrize(
    ("status", "body"),
    [*((status, "a page") for status in (302, 401, 404, 407, 408, 421, 425, 451, 499)), (403, BLOCKED)],
)
async def test_what_another_one_than_discord_answers_is_no_refusal_of_a_message(
    status: int, body: object, autojump_clock: trio.testing.MockClock
) -> None:
    """A portal, a balancer, Cloudflare in Discord's form: the next try may pass. No link and no other
    message pays for it."""
    discord = Discord([(status, {}, body), TAKEN])
    async with discord.api() as api:
        messages = FallbackMessages(ChannelMessages(api, 5, original=7))
        await messages.edit(None, {"content": "See https://example.com/docs"})
        await ChannelMessages(api, 5, original=8).edit(None, {"content": "Another one"})
    first, second, other = discord.sent
    assert "https://example.com/docs" in first
    assert second == first
    assert "Another one" in other


async def test_pages_in_discords_form_begin_a_hold_as_others_do(
    autojump_clock: trio.testing.MockClock,
) -> None:
    discord = Discord([(403, {}, BLOCKED)])
    async with discord.api() as api:
        for _ in range(PAGES_IN_A_ROW):
            with pytest.raises(MessagesBusy):
                await Endpoint(api, "/channels/5", Bucket(), as_bot=True, channel=5).once("POST", "/messages")
        assert api.limits.held_for > 0


@pytest.mark.parametrize("code", ["10008", 10008])
async def test_a_code_that_is_written_as_text_is_one(
    code: object, autojump_clock: trio.testing.MockClock
) -> None:
    async with Discord([(404, {}, {"code": code})]).api() as api:
        with pytest.raises(MessageGone):
            await ChannelMessages(api, 5, original=7).edit(None, {"content": "because"})


async def test_one_odd_period_does_not_change_the_pace_for_good(
    autojump_clock: trio.testing.MockClock,
) -> None:
    odd, sound = Bucket(shared=True), Bucket(shared=True)
    odd.learn(4, 5, 999_999.0)
    for bucket in (odd, sound):
        bucket.learn(3, 5, 4.0)
    assert sound.spare_at - odd.spare_at < 5.0
