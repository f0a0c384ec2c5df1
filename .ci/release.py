"""Looks whether what is in dist/ is one release, and prints its section of the changelog.

Exit status 1 if the wheel and the sdist are not both there, or not of the version in pyproject.toml.
"""

import re
import sys
import tomllib
from pathlib import Path


def built(dist: Path, version: str) -> list[str]:
    """What is wrong with the files in dist/."""
    expected = {f"discordianai-{version}-py3-none-any.whl", f"discordianai-{version}.tar.gz"}
    present = {path.name for path in dist.iterdir()} if dist.is_dir() else set()
    missing = [f"{name} is missing in {dist}/" for name in sorted(expected - present)]
    return missing + [f"{dist}/{name} is not of version {version}" for name in sorted(present - expected)]


def section(changelog: str, version: str) -> str:
    """The entries of that version, else those that no version has yet; with their heading."""
    for heading in (version, "Unreleased"):
        pattern = rf"^## \[{re.escape(heading)}\].*?(?=^## |\Z)"
        if found := re.search(pattern, changelog, re.MULTILINE | re.DOTALL):
            return found[0].rstrip()
    return ""


def main() -> int:
    """Print the section, or what is wrong."""
    version = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if wrong := built(Path("dist"), version):
        print("\n".join(wrong), file=sys.stderr)
        return 1
    entries = section(Path("CHANGELOG.md").read_text(encoding="utf-8"), version)
    print(entries)
    if not entries.startswith(f"## [{version}]"):
        print(f"CHANGELOG.md has no section [{version}] yet: rename [Unreleased] to it", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
