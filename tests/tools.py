"""Programs that the project did not write: they check the files that it does."""

from __future__ import annotations

import os
import shutil
import subprocess

import numpy as np
import pytest


def tool(name: str) -> str:
    """Path of a program. Without it the test is skipped on a reader's machine, and fails where CI is set."""
    path = shutil.which(name)
    if path is None:
        message = f"{name} is not installed; CI has it and runs this test"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


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
