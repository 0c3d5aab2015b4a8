"""GIF: one palette for all frames, each frame only what changed. Pillow packs the pixels (LZW)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import GifImagePlugin, Image

from convviz.errors import ConvvizError
from convviz.render import Box, Raster
from convviz.scene import Frames, Polygon, Shape, Text, rgb

SIZES = (32, 64, 128, 256)
"""Entries of the palette; the first entry stands for "unchanged" or, without a background, for "nothing here"."""
FLAT = 3 / 4
"""The part of the palette that colours of areas may take; the least size is chosen that has room for them all."""
LOOKED = 8
"""Steps whose shapes are asked for their colours."""
AREA = 8
"""Squares of 2 x 2 pixels in three steps that make an area."""
CLEAR = 0

Indexed = NDArray[np.uint8]
Color = tuple[int, int, int]


def write(frames: Frames, file: BinaryIO) -> None:
    """Write ``frames``, frame by frame: memory does not grow with their number.

    Raises `ConvvizError` where the duration or the number of plays does not fit the format.
    """
    if not 20 <= frames.duration <= 655350 or frames.duration % 10:
        raise ConvvizError(
            f"duration is {frames.duration}: a GIF counts in 10 ms; give a multiple of 10 from 20 to 655350"
        )
    if not 0 <= frames.plays <= 65536:
        raise ConvvizError(f"plays is {frames.plays}: give 0 (for ever) to 65536")
    raster = Raster(frames)
    palette = _Palette(raster)
    file.write(_header(raster.size, palette.entries, frames.plays))
    for step, (box, indexed) in enumerate(_changes(raster, palette)):
        image = Image.fromarray(indexed, "P")
        parameters = {"duration": frames.duration, "transparency": CLEAR, "disposal": 2 if frames.transparent else 1}
        for block in GifImagePlugin.getdata(image, box[:2], **parameters):
            file.write(block)
        if frames.watch:
            frames.watch(step)
    file.write(b";")


def _header(size: tuple[int, int], palette: list[Color], plays: int) -> bytes:
    bits = (len(palette) - 1).bit_length()
    table = bytes(channel for color in palette for channel in color).ljust(3 << bits, b"\0")
    screen = struct.pack("<6sHHBBB", b"GIF89a", *size, 0x80 | 0x70 | (bits - 1), CLEAR, 0)
    if plays == 1:
        return screen + table
    # The counter holds how often the animation is repeated after it was played once; 0 is for ever.
    repeats = max(plays - 1, 0)
    return screen + table + b"!\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", repeats) + b"\0"


def _changes(raster: Raster, palette: _Palette) -> Iterator[tuple[Box, Indexed]]:
    """For each step, the smallest rectangle that differs from the step before; pixels that do not are clear."""
    frames, (width, height) = raster.frames, raster.size
    # Most of the first picture is background, whose colour need not be looked up for each pixel.
    blank = np.array([[*rgb(frames.background), 0 if frames.transparent else 255]], np.uint8).view(np.uint32)
    drawn = np.full((height, width), blank)
    shown = np.full((height, width), palette.index(blank))
    for step, (picture, boxes) in enumerate(raster):
        words = picture.view(np.uint32)[..., 0]
        changed = np.zeros((height, width), bool)
        for left, top, right, bottom in boxes:
            box = slice(top, bottom), slice(left, right)
            changed[box] |= drawn[box] != words[box]
            drawn[box] = words[box]
        # Colours are looked up for the pixels that changed alone: in a large picture they are few.
        at = np.flatnonzero(changed)
        indexed, before = palette.index(words.reshape(-1)[at]), shown.reshape(-1)[at]
        update = np.full((height, width), CLEAR, np.uint8)
        update.reshape(-1)[at] = np.where(before == indexed, CLEAR, indexed)
        shown.reshape(-1)[at] = indexed
        if frames.transparent or step == 0:
            # Nothing can be taken away from a GIF's frame: without a background each is cleared and drawn whole.
            update = shown
        yield _trimmed(update)


def _trimmed(indexed: Indexed) -> tuple[Box, Indexed]:
    """``indexed`` without its clear margins, and where that lies; one pixel where all is clear."""
    kept = indexed != CLEAR
    rows, columns = np.flatnonzero(kept.any(axis=1)), np.flatnonzero(kept.any(axis=0))
    if not len(rows):
        return (0, 0, 1, 1), indexed[:1, :1]
    left, top, right, bottom = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return (left, top, right, bottom), np.ascontiguousarray(indexed[top:bottom, left:right])


class _Palette:
    """The colours of all frames: the flat ones exactly, then those that stand for the soft edges.

    Flat are the colours of shapes, in steps here and there, and what fills an area in one of three steps; of one that
    other steps alone have it is the nearest.

    Nearest colours are looked up by the upper six bits of each channel.
    """

    def __init__(self, raster: Raster) -> None:
        frames = raster.frames
        self._matte = np.array(rgb(frames.background), np.uint16)
        self._transparent = frames.transparent
        red, green, blue = background = rgb(frames.background)
        blank = np.uint32(red | green << 8 | blue << 16)
        seen: dict[Color, int] = {}
        areas: dict[Color, int] = {}
        # Three steps have the soft edges of all; the first comes last, since it is what is drawn next.
        for picture, boxes in raster.changes([len(frames) - 1, len(frames) // 2, 0]):
            for left, top, right, bottom in boxes:
                packed = self._packed(picture.view(np.uint32)[top:bottom, left:right, 0])[0]
                _count(packed[packed != blank], seen)
                square = packed[: len(packed) // 2 * 2, : packed.shape[1] // 2 * 2]
                first, *others = (square[row::2, column::2] for row in (0, 1) for column in (0, 1))
                _count(first[np.logical_and.reduce([first == other for other in others])], areas)
        flat = {background: None}
        for layer in frames.layers:
            for step in range(0, 1 if layer.kind == "fixed" else len(frames), max(len(frames) // LOOKED, 1)):
                for shape in layer.shapes(step):
                    flat |= {rgb(color): None for color in _flat_colors(shape)}
        # What fills an area is flat too, whatever was blended to get it: it tells one sort of cell from another.
        flat |= {color: None for color in sorted(areas, key=areas.__getitem__, reverse=True) if areas[color] >= AREA}
        size = next((size for size in SIZES if len(flat) <= size * FLAT), SIZES[-1])
        exact = list(flat)[: int(size * FLAT)]
        rare = {color: count for color, count in seen.items() if color not in exact}
        soft = _clustered(rare, size - 1 - len(exact))
        self.entries = [(0, 0, 0), *exact, *(color for color in soft if color not in exact)]
        self._table = np.array(self.entries[1:], np.int32)
        self._nearest = np.zeros(1 << 18, np.uint8)
        """Index of the entry for each block of 4 x 4 x 4 colours; 0 where that is not known yet."""
        self._crowded: list[tuple[int, int]] = []
        """Colour and index of the entries whose block another flat colour has."""
        for n, (red, green, blue) in reversed([*enumerate(self.entries)][1:]):
            block = _block(np.uint32(red | green << 8 | blue << 16))
            if self._nearest[block] and n <= len(exact):
                self._crowded.append((red | green << 8 | blue << 16, n))
            else:
                self._nearest[block] = n

    def index(self, words: NDArray[np.uint32]) -> Indexed:
        """Index of the nearest entry for each pixel, its four bytes in a word; 0 where more than half transparent."""
        packed, clear = self._packed(words)
        blocks = _block(packed)
        indexed: Indexed = self._nearest.take(blocks)
        if not indexed.all():
            new = np.unique(blocks[indexed == 0])
            middles = np.stack([(new << 2 & 255), (new >> 4 & 255), (new >> 10 & 255)], axis=-1).astype(np.int32) + 2
            apart = middles[:, np.newaxis] - self._table
            self._nearest[new] = (apart**2).sum(axis=2).argmin(axis=1) + 1
            indexed = self._nearest.take(blocks)
        for color, n in self._crowded:
            indexed[packed == color] = n
        if clear is not None:
            indexed[clear] = CLEAR
        return indexed

    def _packed(self, words: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.bool_] | None]:
        """Each pixel's red, green and blue in one number, and which pixels are clear where any can be."""
        if not self._transparent:
            return words & np.uint32(0xFFFFFF), None
        pixels = np.ascontiguousarray(words)[..., np.newaxis].view(np.uint8)
        alpha = pixels[..., 3:].astype(np.uint16)
        on_matte = (pixels[..., :3] * alpha + self._matte * (255 - alpha) + 127) // 255
        red, green, blue = (on_matte[..., channel].astype(np.uint32) for channel in range(3))
        packed: NDArray[np.uint32] = red | green << np.uint32(8) | blue << np.uint32(16)
        return packed, alpha[..., 0] < 128


def _block(packed: Any) -> Any:
    """Number of the block of 4 x 4 x 4 colours that each colour lies in."""
    return packed >> 2 & 0x3F | packed >> 4 & 0xFC0 | packed >> 6 & 0x3F000


def _flat_colors(shape: Shape) -> list[str]:
    if isinstance(shape, Text):
        return [shape.fill]
    fill = shape.fill if isinstance(shape, Polygon) and shape.opacity == 1 else None
    return [color for color in (fill, shape.stroke) if color]


def _count(packed: NDArray[np.uint32], seen: dict[Color, int]) -> None:
    """Add to ``seen`` how often each colour occurs."""
    if packed.size:
        image = Image.frombuffer("RGBX", (packed.size, 1), packed.tobytes(), "raw", "RGBX", 0, 1)
        for count, (red, green, blue, _) in image.getcolors(packed.size) or []:  # type: ignore[misc]
            seen[red, green, blue] = seen.get((red, green, blue), 0) + count


def _clustered(seen: dict[Color, int], room: int) -> list[Color]:
    """At most ``room`` colours that stand for those of ``seen``, which says how often each occurs."""
    if not seen or room < 1:
        return []
    colors, counts = np.array(list(seen), np.int64), np.minimum(list(seen.values()), 100)
    image = Image.fromarray(np.repeat(colors.astype(np.uint8), counts, axis=0)[np.newaxis], "RGB")
    table = image.quantize(room, Image.Quantize.MAXCOVERAGE).getpalette("RGB") or []
    chosen = np.array(table, np.int64).reshape(-1, 3)
    # Pillow's own k-means takes as long as ten frames. Whole numbers, so that every machine rounds alike.
    for _ in range(4):
        nearest = ((chosen**2).sum(axis=1) - 2 * colors @ chosen.T).argmin(axis=1)
        weight = np.bincount(nearest, counts, len(chosen)).astype(np.int64)
        sums = np.stack([np.bincount(nearest, counts * channel, len(chosen)) for channel in colors.T], axis=1)
        chosen = np.where(
            weight[:, np.newaxis] > 0, sums.astype(np.int64) // np.maximum(weight, 1)[:, np.newaxis], chosen
        )
    return list(dict.fromkeys((int(red), int(green), int(blue)) for red, green, blue in chosen))
