"""Modules that few tests need, and that take half a second to import, for each worker that collects tests.

if TYPE_CHECKING:
    import openai
else:
    openai = LazyModule("openai")
"""

from importlib import import_module
from types import ModuleType


class LazyModule(ModuleType):
    """Imports the module of its name when something of it is first used."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # pytest looks for these while it collects
            raise AttributeError(name)
        return getattr(import_module(self.__name__), name)
