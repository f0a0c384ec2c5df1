"""One bucket for each channel, whoever writes there."""

import trio
import trio.testing

from discordianai.discord.messages.rest import MOST_BUCKETS, ChannelBuckets

OTHERS = range(1, 2 * MOST_BUCKETS)


async def test_a_channel_that_is_written_in_keeps_its_bucket_however_many_others_there_are() -> None:
    buckets = ChannelBuckets()
    held = buckets.of(0)
    for channel_id in OTHERS:
        buckets.of(channel_id)
    assert buckets.of(0) is held


async def test_what_discord_has_said_of_a_channel_outlasts_the_answer(
    autojump_clock: trio.testing.MockClock,
) -> None:
    buckets = ChannelBuckets()
    buckets.of(0).close_for(5)
    for channel_id in OTHERS:
        buckets.of(channel_id)
    began = trio.current_time()
    async with buckets.of(0).turn():
        assert trio.current_time() == began + 5


async def test_channels_with_room_where_nobody_writes_cost_no_memory() -> None:
    buckets = ChannelBuckets()
    for channel_id in OTHERS:
        buckets.of(channel_id)
    assert len(buckets) <= MOST_BUCKETS
