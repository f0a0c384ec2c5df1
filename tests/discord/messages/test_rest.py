"""One bucket for each channel, whoever writes there."""

import pytest
import trio
import trio.testing

from discordianai.discord.messages.rest import MOST_BUCKETS, OTHERS_WITHIN, Bucket, ChannelBuckets, Share

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
