"""Shapes to pixels, through matplotlib's renderer interface: one painter serves Agg and the vector renderers.

The layers at the bottom that stay are painted once; for each step they are put back where something moved, and what
moves is painted over them. A picture of slanted lines is drawn larger and reduced.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from math import ceil, floor
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.ft2font import FT2Font
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from matplotlib.transforms import IdentityTransform
from numpy.typing import NDArray
from PIL import Image

from convviz.errors import ConvvizError
from convviz.scene import Frames, Layer, Line, Polygon, Shape, Text, bounds, rgb

MOST_PIXELS = 1 << 24

Box = tuple[int, int, int, int]
Pixels = NDArray[np.uint8]

_UNCHANGED = IdentityTransform()


@dataclass(frozen=True)
class Painter:
    """Paints shapes with a matplotlib renderer of 72 dots an inch."""

    renderer: RendererBase
    height: float
    """Of the renderer's surface; its y runs upwards."""
    scale: float
    """Dots a point."""
    right: float = 0.0
    down: float = 0.0
    """Where the picture's top left corner lies, in dots."""

    def paint(self, shapes: Iterable[Shape]) -> None:
        # A renderer is slow to be called, so texts of one colour are one outline.
        for color, run in groupby(shapes, lambda shape: shape.fill if isinstance(shape, Text) else None):
            if color is None:
                for shape in run:
                    self._path(shape)  # type: ignore[arg-type]
            else:
                self._texts(color, [text for text in run if isinstance(text, Text) and text.text.strip()])

    def _path(self, shape: Polygon | Line) -> None:
        closed = isinstance(shape, Polygon)
        fill = None
        gc = self.renderer.new_gc()
        gc.set_snap(False)
        gc.set_joinstyle("miter")
        gc.set_capstyle("butt")
        if shape.stroke and shape.width:
            gc.set_foreground(_unit(shape.stroke), isRGBA=True)
            gc.set_linewidth(shape.width * self.scale)
            if shape.dash:
                gc.set_dashes(0, [length * self.scale for length in shape.dash])
        else:
            gc.set_linewidth(0)
        if isinstance(shape, Polygon) and shape.fill:
            fill = (*_unit(shape.fill)[:3], shape.opacity)
        self.renderer.draw_path(gc, self._points(shape.points, closed), _UNCHANGED, fill)
        gc.restore()

    def _points(self, points: NDArray[np.float64], closed: bool) -> Path:
        each = points if points.ndim == 3 else points[np.newaxis]
        if closed:
            each = np.concatenate([each, each[:, :1]], axis=1)
        codes = np.full(each.shape[:2], Path.LINETO, dtype=Path.code_type)
        codes[:, 0] = Path.MOVETO
        if closed:
            codes[:, -1] = Path.CLOSEPOLY
        return _path(self._placed(each.reshape(-1, 2)), codes.reshape(-1))

    def _placed(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        placed = points * self.scale
        placed[:, 0] += self.right
        placed[:, 1] = self.height - self.down - placed[:, 1]
        return placed

    def _texts(self, color: str, texts: Sequence[Text]) -> None:
        if not texts:
            return
        points, codes = [], []
        for text in texts:
            outline, code = _glyphs(text.text)
            points.append(outline * (text.size, -text.size) + (text.extent[0], text.baseline))
            codes.append(code)
        gc = self.renderer.new_gc()
        gc.set_snap(False)
        gc.set_linewidth(0)
        path = _path(self._placed(np.concatenate(points)), np.concatenate(codes))
        self.renderer.draw_path(gc, path, _UNCHANGED, _unit(color))
        gc.restore()


def _path(vertices: NDArray[np.float64], codes: NDArray[Any]) -> Path:
    path = Path(vertices, codes)
    path.should_simplify = False  # a user's matplotlibrc has no say in what is drawn
    return path


@lru_cache(256)
def _unit(color: str) -> tuple[float, float, float, float]:
    red, green, blue = rgb(color)
    return red / 255, green / 255, blue / 255, 1.0


@lru_cache(4096)
def _glyphs(text: str) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Outline of a line of text at a font size of 1, baseline at 0, y upwards."""
    # A font of our own, not matplotlib's cached one: that depends on the user's settings, and threads share it.
    font = FT2Font(os.path.join(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))
    font.set_size(text_to_path.FONT_SCALE, text_to_path.DPI)
    placed, outlines, _ = text_to_path.get_glyphs_with_font(font, text)
    vertices = [outlines[glyph][0] * scale + (x, y) for glyph, x, y, scale in placed]
    codes = [outlines[glyph][1] for glyph, *_ in placed]
    if not vertices:
        return np.empty((0, 2)), np.empty(0, dtype=Path.code_type)
    return np.concatenate(vertices) / text_to_path.FONT_SCALE, np.concatenate(codes).astype(Path.code_type)


class Raster:
    """The pixels of a moving picture. Its memory does not grow with the number of steps."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.size = width, height = frames.pixel_size
        if width * height > MOST_PIXELS:
            raise ConvvizError(
                f"width is {width}: the picture would be {width} x {height} pixels; at most {MOST_PIXELS} can be drawn"
            )
        self._n = n = frames.supersampling
        self._agg = RendererAgg(width * n, height * n, 72)
        self._surface: Pixels = np.asarray(self._agg.buffer_rgba())
        self._painter = _painter(self._agg, frames, n)
        self._lower, self._upper = self._split()
        self._clear()
        for layer in self._lower:
            if layer.kind == "fixed":
                self._painter.paint(layer.shapes(0))
        self._growing = [layer for layer in self._lower if layer.kind == "growing"]
        self._at_rest = self._surface.copy()
        # What has grown so far is kept with what is under it.
        self._bottom = self._at_rest.copy() if self._growing else self._at_rest
        # The layers in between are asked for their shapes once.
        self._still = {id(layer): layer.shapes(0) for layer in self._upper if layer.kind == "fixed"}
        self._picture = self._surface if n == 1 else np.empty((height, width, 4), np.uint8)
        # What was drawn last: the step, where each layer moved to, and where each has grown.
        self._step = -1
        self._moved: dict[int, Box] = {}
        self._grown: dict[int, Box] = {}

    def __iter__(self) -> Iterator[tuple[Pixels, list[Box]]]:
        """The changes of all steps."""
        return self.changes(range(len(self.frames)))

    def image(self, step: int) -> Image.Image:
        """The picture at ``step``, in mode RGBA."""
        self._draw(step)
        return Image.fromarray(self._picture.copy(), "RGBA")

    def changes(self, steps: Iterable[int]) -> Iterator[tuple[Pixels, list[Box]]]:
        """For each of ``steps`` (picture, boxes): the boxes cover what changed since the one before.

        ``picture`` is an array (height, width, 4) of straight-alpha RGBA bytes; the next step is drawn into the same
        one. A box is (left, top, right, bottom); the first step has one, the whole picture.
        """
        whole: Box = (0, 0, *self.size)
        for n, step in enumerate(steps):
            boxes = self._draw(step)
            yield self._picture, boxes if n else [whole]

    def _draw(self, step: int) -> list[Box]:
        """Draw ``step`` over what was drawn last; the boxes cover what changed."""
        if step == self._step:
            return []
        boxes: list[Box] = []
        if step < self._step:
            for box in self._grown.values():
                self._put(self._bottom, self._at_rest, box)
                boxes.append(box)
            self._grown = {}
        since = self._step + 1 if step > self._step else 0
        added = {
            id(layer): [shape for t in range(since, step + 1) for shape in layer.shapes(t)] for layer in self._growing
        }
        now = {id(layer): self._shapes(layer, step) for layer in self._upper if layer.kind != "fixed"}
        # Layers lie in places of their own: what is between them need not be done again.
        grown, moved = ({layer: self._box(shapes) for layer, shapes in each.items()} for each in (added, now))
        boxes += [*grown.values(), *_joined(self._moved, moved).values()]
        whole = [(0, 0, *self.size)]
        if self._step < 0:
            boxes = whole
        # Painting is not clipped to the boxes: Agg's clipping shifts soft edges by one level. So what is painted once
        # more over itself must be taken away everywhere.
        for box in whole if self._still else boxes:
            self._put(self._surface, self._bottom, box)
        for shapes in added.values():
            self._painter.paint(shapes)
        for box in grown.values():
            self._put(self._bottom, self._surface, box)
        for layer in self._upper:
            self._painter.paint(now[id(layer)] if id(layer) in now else self._still[id(layer)])
        if self._n > 1:
            for box in boxes:
                left, top, right, lower = box
                self._picture[top:lower, left:right] = self._reduced(box)
        self._step, self._moved, self._grown = step, moved, _joined(self._grown, grown)
        return boxes

    def _split(self) -> tuple[tuple[Layer, ...], tuple[Layer, ...]]:
        """The layers at the bottom that need no repainting, and those over them that do."""
        layers = self.frames.layers
        first = next((n for n, layer in enumerate(layers) if layer.kind == "moving"), len(layers))
        for n, layer in enumerate(layers[:first]):
            # A growing layer keeps its place only where nothing that stays and is painted once lies over it.
            if layer.kind == "growing" and any(later.kind == "fixed" for later in layers[n + 1 : first]):
                first = n
                break
        return layers[:first], layers[first:]

    @staticmethod
    def _shapes(layer: Layer, step: int) -> list[Shape]:
        if layer.kind == "moving":
            return list(layer.shapes(step))
        return [shape for t in range(step + 1) for shape in layer.shapes(t)]

    def _clear(self) -> None:
        color = np.array([*rgb(self.frames.background), 0 if self.frames.transparent else 255], np.uint8)
        self._surface.view(np.uint32)[...] = color.view(np.uint32)  # a word a pixel: ten times faster than four bytes

    def _box(self, shapes: Sequence[Shape]) -> Box:
        """The pixels that any of ``shapes`` touches; at least one."""
        if not shapes:
            return 0, 0, 1, 1
        left, top, right, bottom = bounds(shapes)
        scale, across, down = (v / self._n for v in (self._painter.scale, self._painter.right, self._painter.down))
        width, height = self.size
        first = min(max(floor(left * scale + across) - 1, 0), width - 1)
        upper = min(max(floor(top * scale + down) - 1, 0), height - 1)
        last = max(min(ceil(right * scale + across) + 1, width), first + 1)
        lower = max(min(ceil(bottom * scale + down) + 1, height), upper + 1)
        return first, upper, last, lower

    def _enlarged(self, box: Box) -> Box:
        """A box of the picture on the surface."""
        left, top, right, lower = (edge * self._n for edge in box)
        return left, top, right, lower

    def _put(self, onto: Pixels, pixels: Pixels, box: Box) -> None:
        """Copy what is in ``box`` from one surface onto another."""
        left, top, right, lower = self._enlarged(box)
        onto[top:lower, left:right] = pixels[top:lower, left:right]

    def _reduced(self, box: Box) -> Pixels:
        # Pillow weighs colours by their alpha in mode RGBA, which costs more than all the drawing.
        mode = "RGBA" if self.frames.transparent else "RGBX"
        size = (self.size[0] * self._n, self.size[1] * self._n)
        image = Image.frombuffer(mode, size, self._agg.buffer_rgba(), "raw", mode, 0, 1)
        return np.asarray(image.reduce(self._n, self._enlarged(box)))


def _joined(before: dict[int, Box], now: dict[int, Box]) -> dict[int, Box]:
    """For each layer the smallest box around both of its boxes."""
    pairs = {layer: (before.get(layer, box), box) for layer, box in now.items()}
    return {
        layer: (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])) for layer, (a, b) in pairs.items()
    }


def _painter(renderer: RendererBase, frames: Frames, n: float) -> Painter:
    """A painter on a surface of ``n`` times the picture's size in pixels."""
    scale, right, down = frames.placement
    return Painter(renderer, frames.pixel_size[1] * n, scale * n, right * n, down * n)
