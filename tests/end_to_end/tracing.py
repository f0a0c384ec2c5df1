"""Runs the bot, and notes which of its functions a question runs, or raises an error in one of them.

`python -m tests.end_to_end.tracing run --settings ...` is the bot, with a trace function in all its threads.
A question says in its text what is to be done with it: `#7` raises an error at the first call of the plan's
function 7 that is this question's; whatever else it says, it is traced. What happened is in the file TRACED,
one line each: `asked` or `other` and a function, or `raised` and a number. PLAN has a function in each line.

A function is a question's where its task runs it, or a task below that one, or a thread that does its work;
or where it is given the question.
"""

import json
import os
import re
import sys
import threading
from contextvars import ContextVar
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import trio

import discordianai
from discordianai.cli.main import main
from discordianai.discord.interactions import handler  # noqa: F401  # before the tracing begins
from discordianai.records import Question

PACKAGE = f"{Path(discordianai.__file__).parent}/"
NUMBER = re.compile(r"#(\d+)")
NONE = -1
"""The number of a question that nothing is raised for."""

TASK = "answering/question_tasks.py:QuestionTasks._answer"
EVENTS = {
    "discord/interactions/handler.py:InteractionHandler.interaction",
    "discord/interactions/handler.py:InteractionHandler.message",
}
"""Where a question begins: on trio, and on the listener's loop."""


class InjectedError(Exception):
    """What a bug would raise."""


class Tracer:
    """A trace function; see `sys.settrace`."""

    def __init__(self, plan: list[str], file: Path) -> None:
        self._plan = plan
        self._out = file.open("a", buffering=1)
        self._names: dict[CodeType, str | None] = {}
        self._noted: set[tuple[str, str]] = set()
        self._raised: set[int] = set()
        self._tasks: dict[Any, int] = {}
        self._own: ContextVar[int | None] = ContextVar("own", default=None)

    def __call__(self, frame: FrameType, event: str, arg: object) -> None:
        """Called at each call of a Python function; never for the lines in it."""
        name = self._name(frame.f_code)
        if name is None:
            return
        if name == TASK:
            question = frame.f_locals["question"]
            self._tasks[trio.lowlevel.current_task()] = _number(question.text)
            self._own.set(_number(question.text))
        elif name in EVENTS:
            self._own.set(_number(json.dumps(frame.f_locals["payload"])))
        number = self._owner(frame)
        self._note("other" if number is None else "asked", name)
        if number is None or number == NONE or number in self._raised or self._plan[number] != name:
            return
        self._raised.add(number)
        self._out.write(f"raised {number}\n")
        # An error of a trace function is raised in the function that is traced, and ends the tracing.
        sys.setprofile(self._begin_again)
        raise InjectedError(name)

    def _begin_again(self, frame: FrameType, event: str, arg: object) -> None:
        sys.setprofile(None)
        sys.settrace(self)

    def _name(self, code: CodeType) -> str | None:
        if code not in self._names:
            ours = code.co_filename.startswith(PACKAGE) and not code.co_name.startswith("<")
            place = code.co_filename.removeprefix(PACKAGE)
            self._names[code] = f"{place}:{code.co_qualname}" if ours else None
        return self._names[code]

    def _note(self, kind: str, name: str) -> None:
        if (kind, name) not in self._noted:
            self._noted.add((kind, name))
            self._out.write(f"{kind} {name}\n")

    def _owner(self, frame: FrameType) -> int | None:
        """The number of the question whose work this is; None where it is nobody's."""
        try:
            task: trio.lowlevel.Task | None = trio.lowlevel.current_task()
        except RuntimeError:  # on the listener's loop, or in a thread
            number = self._own.get()
        else:
            number = None
            while task is not None and number is None:
                number = self._tasks.get(task)
                nursery = task.parent_nursery
                task = nursery.parent_task if nursery is not None else None
        if number is None:
            given = (
                frame.f_locals.get(name) for name in frame.f_code.co_varnames[: frame.f_code.co_argcount]
            )
            number = next((_number(value.text) for value in given if isinstance(value, Question)), None)
        return number


def _number(text: str) -> int:
    found = NUMBER.search(text)
    return int(found[1]) if found else NONE


if __name__ == "__main__":
    plan = Path(os.environ["PLAN"])
    tracer = Tracer(plan.read_text().split() if plan.exists() else [], Path(os.environ["TRACED"]))
    sys.settrace(tracer)
    threading.settrace(tracer)
    main()
