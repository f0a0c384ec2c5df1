"""`python -m discordianai` is the same as `discordianai`."""

import sys

from discordianai.cli.main import main

sys.exit(main())
