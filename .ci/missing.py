"""Says in one line what this interpreter lacks to run the tests; exit status 1 then, else 0."""

import re
import sys
from importlib import metadata
from pathlib import Path


def required() -> list[str]:
    """The names of the packages that the program, its sandbox and its tests need, and the program's own."""
    import tomllib

    project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    told = [*project["dependencies"], *extras["sandbox"], *extras["postgres"], *extras["test"]]
    return list(dict.fromkeys([re.split(r"[^\w.-]", each)[0] for each in told] + [project["name"]]))


def main() -> int:
    """Look for each of them."""
    if sys.version_info < (3, 11):  # noqa: UP036  # it is run by any
        return tell(f"Python 3.11 or newer is needed, and this is {sys.version.split()[0]}")
    present = {found.name.lower().replace("_", "-") for found in metadata.distributions()}
    missing = [name for name in required() if name.lower().replace("_", "-") not in present]
    return tell(f"it lacks {', '.join(missing)}") if missing else 0


def tell(what: str) -> int:
    """Say it, and what helps."""
    helps = "`make test` alone uses .venv, which `make install PYTHON=...` makes"
    print(f"{sys.executable} cannot run the tests: {what}; {helps}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
