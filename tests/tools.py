"""Programs that the project did not write: they check the files that it does."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
from types import ModuleType
from typing import NoReturn

import numpy as np
import pytest


def tool(name: str) -> str:
    """Path of a program. Without it the test is skipped on a reader's machine, and fails where CI is set."""
    return shutil.which(name) or _missing(name)


def package(name: str) -> ModuleType:
    """A Python package of the dependency groups that not everybody has; missing, it counts as `tool` does."""
    try:
        return importlib.import_module(name)
    except ImportError:
        _missing(name)


def _missing(name: str) -> NoReturn:
    absent(f"{name} is not installed")


def absent(what: str) -> NoReturn:
    """Something that this test needs is not here: a reader's machine passes it over, CI fails."""
    message = f"{what}; CI has it and runs this test"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def run(*words: str, **keywords) -> bytes:
    """Standard output of a program that must succeed."""
    done = subprocess.run(words, capture_output=True, check=False, **keywords)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def ffmpeg_frames(path, size: tuple[int, int]) -> np.ndarray:
    """All frames of a moving picture as ffmpeg decodes them, (steps, height, width, 4) RGBA."""
    raw = run(tool("ffmpeg"), "-v", "error", "-i", str(path), "-fps_mode", "passthrough",
              "-f", "rawvideo", "-pix_fmt", "rgba", "-")  # fmt: skip
    return np.frombuffer(raw, np.uint8).reshape(-1, size[1], size[0], 4)
