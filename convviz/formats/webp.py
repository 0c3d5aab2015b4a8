"""WebP: every pixel as it was drawn, each step only what it changes. Pillow packs the pixels (lossless)."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import BinaryIO

from PIL import Image, features

from convviz.errors import ConvvizError
from convviz.formats._changes import changes
from convviz.render import Pixels
from convviz.scene import Frames, rgb

METHOD, EFFORT = 1, 25
"""Of libwebp: a third of the time of its defaults for a tenth more bytes."""
LONGEST, WIDEST = (1 << 24) - 1, 1 << 14
ANIMATION, ALPHA = 0x02, 0x10
REPLACES, COVERS = 0x02, 0x00


def write(frames: Frames, file: BinaryIO) -> None:
    """Write ``frames``. The file begins with its own length, so the packed frames are kept until the end.

    Raises `ConvvizError` where a number does not fit the format, or Pillow was built without WebP.
    """
    if not features.check("webp"):
        raise ConvvizError("format is .webp: this Pillow was built without WebP; save as .gif, .apng or .svg")
    width, height = frames.pixel_size
    if max(width, height) >= WIDEST:
        raise ConvvizError(
            f"width is {width}: a WebP is less than {WIDEST} pixels wide and high, not {width} x {height}"
        )
    red, green, blue = rgb(frames.background)
    background = bytes((blue, green, red, 0 if frames.transparent else 255))
    # Pillow's own way to save all frames joins those that are alike.
    chunks = [
        _chunk(b"VP8X", bytes((ANIMATION | ALPHA, 0, 0, 0)) + _three(width - 1) + _three(height - 1)),
        _chunk(b"ANIM", background + struct.pack("<H", frames.plays)),
    ]
    flags = bytes((REPLACES if frames.transparent else COVERS,))
    for (left, top, right, bottom), pixels in changes(frames):
        place = (left // 2, top // 2, right - left - 1, bottom - top - 1, frames.duration)
        chunks.append(_chunk(b"ANMF", b"".join(map(_three, place)) + flags + _packed(pixels)))
    file.write(_chunk(b"RIFF", b"WEBP" + b"".join(chunks)))


def _packed(pixels: Pixels) -> bytes:
    """The chunk that holds the pixels in a WebP of their own."""
    file = BytesIO()
    Image.fromarray(pixels, "RGBA").save(file, "WEBP", lossless=True, method=METHOD, quality=EFFORT, exact=True)
    return file.getvalue()[12:]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")
