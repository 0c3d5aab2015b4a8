"""MP4: H.264, which every player and browser shows."""

from __future__ import annotations

from typing import BinaryIO

from convviz.formats import _video
from convviz.scene import Frames


def write(frames: Frames, file: BinaryIO) -> None:
    """Write ``frames``; see `_video.write`."""
    _video.write(frames, file, ".mp4", "libx264", {"crf": "16", "preset": "medium", "tune": "animation"})
