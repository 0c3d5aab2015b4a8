"""APNG: every pixel as it was drawn, each step only what it changes."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import BinaryIO
from zlib import compress, crc32

import numpy as np

from convviz.errors import ConvvizError
from convviz.formats._changes import changes
from convviz.render import Pixels
from convviz.scene import Frames

RGBA = 6
STAYS = 0
REPLACES, COVERS = 0, 1


def write(frames: Frames, file: BinaryIO) -> None:
    """Write ``frames``, frame by frame: memory does not grow with their number.

    Raises `ConvvizError` where the duration does not fit the format.
    """
    seconds = Fraction(frames.duration, 1000)
    delay = seconds.numerator, seconds.denominator
    if max(delay) > 65535:
        raise ConvvizError(f"duration is {frames.duration}: too long for an APNG; give at most 65535, or whole seconds")
    blend = REPLACES if frames.transparent else COVERS
    file.write(b"\x89PNG\r\n\x1a\n")
    _chunk(file, b"IHDR", struct.pack(">IIBBBBB", *frames.pixel_size, 8, RGBA, 0, 0, 0))
    _chunk(file, b"acTL", struct.pack(">II", len(frames), frames.plays))
    number = 0  # of the chunk: those of the animation are counted
    for (left, top, right, bottom), pixels in changes(frames):
        place = right - left, bottom - top, left, top
        _chunk(file, b"fcTL", struct.pack(">IIIIIHHBB", number, *place, *delay, STAYS, blend))
        if number == 0:
            _chunk(file, b"IDAT", _packed(pixels))
            number = 1
        else:
            _chunk(file, b"fdAT", struct.pack(">I", number + 1) + _packed(pixels))
            number += 2
    _chunk(file, b"IEND", b"")


def _packed(pixels: Pixels) -> bytes:
    """Rows without a filter, each after the byte that says so: flat colours repeat, which deflate finds by itself."""
    height, width, channels = pixels.shape
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    return compress(rows.tobytes(), 6)


def _chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data)))
