"""What the vector formats of matplotlib have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib
import numpy as np
from matplotlib.backend_bases import RendererBase

from convviz.render import Painter
from convviz.scene import DOTS_PER_POINT, Frames, Polygon, Shape

DOTS_PER_INCH = 72
PIXELS_PER_INCH = 72.27 * DOTS_PER_POINT


def size(frames: Frames) -> tuple[float, float]:
    """Width and height in inches: those of the PNG at its natural number of dots an inch."""
    width, height = frames.pixel_size
    return width / PIXELS_PER_INCH, height / PIXELS_PER_INCH


def paint(frames: Frames, step: int, renderer: RendererBase) -> None:
    """Paint step ``step`` on a surface of the picture's `size`."""
    dots = DOTS_PER_INCH / PIXELS_PER_INCH
    scale, right, down = (dots * n for n in frames.placement)
    frame = frames.frame(step)
    shapes: list[Shape] = list(frame.shapes)
    if frame.background:
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) * (frame.width, frame.height)
        rim = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])  # the sides were rounded: over the edge, to be sure
        shapes.insert(0, Polygon(corners + rim, frame.background))
    Painter(renderer, size(frames)[1] * DOTS_PER_INCH, scale, right, down).paint(shapes)


@contextmanager
def defaults() -> Iterator[None]:
    """A user's matplotlibrc has no say in what is written."""
    names = [name for name in matplotlib.rcParams if name.startswith(("pdf.", "path.", "savefig."))]
    with matplotlib.rc_context({name: matplotlib.rcParamsDefault[name] for name in names}):
        yield
