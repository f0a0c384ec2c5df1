"""Runs processes on a disk and a clock that misbehave: see disk_faults.c."""

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


class Faults:
    """The faults of the processes that have `environment`; none to begin with."""

    def __init__(self, folder: Path, concerned: str) -> None:
        self._file = folder / "faults"
        self._library = folder / "disk_faults.so"
        self._concerned = concerned
        self.set()

    def set(self, *, fsync_seconds: float = 0.0, error: int = 0, clock_ahead: int = 0) -> None:
        """Misbehave like this from now on: `error` is the errno of writes and fsyncs."""
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT)
        try:
            os.pwrite(descriptor, struct.pack("=qqq", int(1000 * fsync_seconds), error, clock_ahead), 0)
        finally:
            os.close(descriptor)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to have these faults."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAULTS": str(self._file),
            "FAULTS_PATH": self._concerned,
        }


def make_faults(folder: Path, concerned: str) -> Faults:
    """Compile what is preloaded; skips the test where that is not possible."""
    compiler = shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs gcc, and Linux")
    library = folder / "disk_faults.so"
    subprocess.run(  # noqa: S603  # our own
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True
    )
    return Faults(folder, concerned)
