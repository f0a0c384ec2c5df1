"""A provider whose endpoint refuses tools: the rules decide, until it is tried again."""

import trio
from trio.testing import MockClock

from discordianai.dispatch.routing import WEB_SEARCH, Inquiry, Router
from discordianai.providers.optional_fields import AGAIN_AFTER
from tests.known_providers import OPENAI, PERPLEXITY

INQUIRY = Inquiry("why?", (), "here")


async def test_tools_are_offered_again_after_a_day_or_when_the_endpoint_is_tried_again(
    autojump_clock: MockClock,
) -> None:
    """Servers are updated; the client that has found it out says until when it knows."""
    router = Router([OPENAI, PERPLEXITY])
    assert router.choose(INQUIRY).tools == (WEB_SEARCH,)
    router.give_up_tools(OPENAI)
    assert router.choose(INQUIRY).tools == ()
    await trio.sleep(AGAIN_AFTER)
    assert router.choose(INQUIRY).tools == (WEB_SEARCH,)
    router.give_up_tools(OPENAI, trio.current_time() + 60)
    await trio.sleep(59)
    assert router.choose(INQUIRY).tools == ()
    await trio.sleep(1)
    assert router.choose(INQUIRY).tools == (WEB_SEARCH,)


async def test_the_question_that_was_refused_is_not_asked_with_tools_again(autojump_clock: MockClock) -> None:
    """Even if the time until which they are known to be refused is over at that moment."""
    router = Router([OPENAI, PERPLEXITY])
    router.give_up_tools(OPENAI, trio.current_time())
    assert router.choose(INQUIRY).tools == ()
