"""PNG: one step as a still picture."""

from __future__ import annotations

from typing import BinaryIO

from convviz.render import Raster
from convviz.scene import Frames


def write_step(frames: Frames, file: BinaryIO, step: int) -> None:
    """Write step ``step`` of ``frames``."""
    image = Raster(frames).image(step)
    (image if frames.transparent else image.convert("RGB")).save(file, "PNG", optimize=True)
