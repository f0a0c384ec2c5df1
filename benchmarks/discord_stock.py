"""A bot as the library's own guide has it, in a process of its own: it acknowledges `/ask`, and no more.

Run as `python -m benchmarks.discord_stock API_URL TOKEN`.
"""

import sys

from interactions import Client, Intents, OptionType, SlashContext, slash_command, slash_option
from interactions.api.http.route import Route


@slash_command(name="ask", description="Ask")
@slash_option(name="prompt", description="The question", opt_type=OptionType.STRING, required=True)
async def ask(context: SlashContext, prompt: str) -> None:  # noqa: ARG001  # what the library passes
    """Acknowledge."""
    await context.defer()


def main() -> None:
    """Run until killed. The library finds the command by itself, as one of `__main__`."""
    Route.BASE = sys.argv[1]
    client = Client(intents=Intents.DEFAULT, send_command_tracebacks=False)
    client.start(sys.argv[2])


if __name__ == "__main__":
    main()
