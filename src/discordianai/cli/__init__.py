"""The operator's commands. Each module adds its parsers with `add_to`, and runs them."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]
    """Where a module adds its commands: what `add_subparsers` returns has no public name."""

EX_CONFIG = 78
"""From sysexits.h: the configuration is wrong, so that starting again is no use."""
