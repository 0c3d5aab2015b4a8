"""WebP: every pixel as it was drawn, each step only the rectangle that changed. Pillow packs the pixels (lossless)."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import BinaryIO

import numpy as np
from PIL import Image, features

from convviz.errors import ConvvizError
from convviz.render import Box, Pixels, Raster
from convviz.scene import Frames, rgb

METHOD, EFFORT = 0, 25
"""libwebp's: a tenth of the time of its defaults, for a tenth more bytes."""
LONGEST = (1 << 24) - 1
KEPT, REPLACED = 0, 2
"""Flags of a frame: it stays when its time is over, and it replaces what is under it."""


def write(frames: Frames, file: BinaryIO) -> None:
    """Write ``frames``. The file begins with its own length, so the packed frames are kept until the end.

    Raises `ConvvizError` where a number does not fit the format, or Pillow was built without WebP.
    """
    if not features.check("webp"):
        raise ConvvizError("format is .webp: this Pillow was built without WebP; save as .gif, .apng or .svg")
    if frames.duration > LONGEST:
        raise ConvvizError(f"duration is {frames.duration}: a WebP holds at most {LONGEST}")
    raster = Raster(frames)
    width, height = raster.size
    if max(width, height) > 16383:
        raise ConvvizError(f"width is {width}: a WebP is at most 16383 pixels wide and high, this one {width} x {height}")
    red, green, blue = rgb(frames.background)
    color = bytes((blue, green, red, 0 if frames.transparent else 255))
    alpha = 0x10 if frames.transparent else 0
    chunks = [
        _chunk(b"VP8X", bytes((0x02 | alpha, 0, 0, 0)) + _three(width - 1) + _three(height - 1)),
        _chunk(b"ANIM", color + struct.pack("<H", frames.plays)),
    ]
    shown = np.zeros((height, width, 4), np.uint8)
    for box, pixels in raster:
        (left, top, right, bottom), part = _even(shown, box, pixels)
        image = Image.fromarray(part if frames.transparent else part[..., :3])
        place = _three(left // 2) + _three(top // 2) + _three(right - left - 1) + _three(bottom - top - 1)
        head = place + _three(frames.duration) + bytes((KEPT | REPLACED,))
        chunks.append(_chunk(b"ANMF", head + _packed(image)))
    body = b"WEBP" + b"".join(chunks)
    file.write(_chunk(b"RIFF", body))


def _even(shown: Pixels, box: Box, pixels: Pixels) -> tuple[Box, Pixels]:
    """The part that changed, from an even column and row on: the format counts offsets in twos."""
    left, top, right, bottom = box
    shown[top:bottom, left:right] = pixels
    left, top = left // 2 * 2, top // 2 * 2
    return (left, top, right, bottom), shown[top:bottom, left:right]


def _packed(image: Image.Image) -> bytes:
    """The chunks of an image's own WebP that hold its pixels."""
    file = BytesIO()
    image.save(file, "WEBP", lossless=True, method=METHOD, quality=EFFORT, exact=True)
    data = file.getvalue()[12:]
    # With an extended header, that comes first and is this picture's, not the frame's.
    return data[18:] if data.startswith(b"VP8X") else data


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")
