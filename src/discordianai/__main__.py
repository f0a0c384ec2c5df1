"""`python -m discordianai` is the same as `discordianai`."""

import sys

from discordianai.cli import main

sys.exit(main())
