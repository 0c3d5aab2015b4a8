"""WebM: VP9."""

from __future__ import annotations

from typing import BinaryIO

from convviz.formats import _video
from convviz.scene import Frames


def write(frames: Frames, file: BinaryIO) -> None:
    """Write ``frames``; see `_video.write`."""
    _video.write(frames, file, ".webm", "libvpx-vp9", {"crf": "20", "b": "0", "deadline": "good", "cpu-used": "4"})
