"""Lets the tests of a module share one running bot: a start takes longer than most of what is tested.

    @pytest.fixture(scope="module")
    def scene(tmp_path_factory, authority): ...  yields from `shared_scene`

    @played
    async def test_something(scene: Scene) -> None: ...

The scene runs on a trio loop in a thread of its own, and so does each test. They must not depend on each
other: each has people of its own.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal

from discordianai.sandbox.certificates import Authority
from discordianai.sandbox.discord import Interaction
from tests.end_to_end.conftest import Scene, open_scene

Tables = Mapping[str, Mapping[str, object]]
"""Changed keys of the settings, for each table."""


@dataclass(frozen=True)
class SharedScene:
    """A scene, and the way to the loop that it runs on."""

    scene: Scene
    portal: BlockingPortal


def shared_scene(folder: Path, authority: Authority, settings: Tables, **more: Any) -> Iterator[SharedScene]:
    """Run everything until the generator is closed; see `open_scene`."""
    with (
        start_blocking_portal("trio") as portal,
        portal.wrap_async_context_manager(open_scene(folder, authority, settings, **more)) as scene,
    ):
        yield SharedScene(scene, portal)


def played(test: Callable[[Scene], Awaitable[None]]) -> Callable[[SharedScene], None]:
    """A test that runs where its module's scene does."""

    @wraps(test)
    def play(scene: SharedScene) -> None:
        scene.portal.call(test, scene.scene)

    return play


def labels(shown: Interaction) -> list[str]:
    """What stands on the buttons under the last message."""
    return [part["label"] for row in shown.messages[-1].components for part in row["components"]]
