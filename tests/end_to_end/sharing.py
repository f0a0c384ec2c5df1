"""Lets the tests of a module share one running bot: a start takes longer than most of what is tested.

    @pytest.fixture(scope="module")
    def scene(tmp_path_factory, authority): ...  yields from `shared_scene`

    @played
    async def test_something(scene: Scene) -> None: ...

Modules whose settings can be the same share `plain_scene` or `limited_scene`, and a group of xdist.

The scene runs on a trio loop in a thread of its own, and so does each test. They must not depend on each
other: each has people of its own.
"""

from collections.abc import Awaitable, Callable
from functools import wraps

from discordianai.sandbox.discord import Interaction
from tests.end_to_end.conftest import Scene, SharedScene, Tables, shared_scene

__all__ = ["SharedScene", "Tables", "labels", "played", "shared_scene"]


def played(test: Callable[[Scene], Awaitable[None]]) -> Callable[[SharedScene], None]:
    """A test that runs where its module's scene does."""

    @wraps(test)
    def play(scene: SharedScene) -> None:
        scene.portal.call(test, scene.scene)

    return play


def labels(shown: Interaction) -> list[str]:
    """What stands on the buttons under the last message."""
    return [part["label"] for row in shown.messages[-1].components for part in row["components"]]
