"""`python -m discordianai` is the same as `discordianai`."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  # whoever has a checkout may run it with any
    sys.exit(
        f"DiscordianAI needs Python 3.11 or newer, and this is {sys.version.split()[0]}: install a newer one,"
        " and run it with that, for example python3.11 -m discordianai"
    )

from discordianai.cli.main import main

sys.exit(main())
