"""Compares the wheel in dist/ with the source tree; says what it lacks or has beyond; exit status 1 then."""

import sys
from pathlib import Path
from zipfile import ZipFile


def differences(wheel: Path, source: Path) -> list[str]:
    """What is only in one of the two, apart from the wheel's metadata and what Python compiles."""
    with ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    present = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and ".egg-info" not in path.relative_to(source).parts[0]
    }
    lacks = [f"the wheel lacks {name}" for name in sorted(present - packed)]
    return lacks + [f"the wheel has {name}, which src/ has not" for name in sorted(packed - present)]


def main() -> int:
    """Compare the one wheel that was built."""
    (wheel,) = Path("dist").glob("*.whl")
    found = differences(wheel, Path("src"))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
