"""APNG: every pixel as it was drawn, each step only the rectangle that changed. Pillow packs the pixels (deflate)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from typing import BinaryIO
from zlib import crc32

from PIL import Image

from convviz.errors import ConvvizError
from convviz.render import Raster
from convviz.scene import Frames

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def write(frames: Frames, file: BinaryIO) -> None:
    """Write ``frames``, frame by frame: memory does not grow with their number.

    Raises `ConvvizError` where the duration does not fit the format.
    """
    seconds = Fraction(frames.duration, 1000)
    if max(seconds.numerator, seconds.denominator) > 65535:
        raise ConvvizError(f"duration is {frames.duration}: an APNG cannot hold it; give at most 65535, or whole seconds")
    raster = Raster(frames)
    color_type = 6 if frames.transparent else 2
    file.write(SIGNATURE)
    _chunk(file, b"IHDR", struct.pack(">IIBBBBB", *raster.size, 8, color_type, 0, 0, 0))
    _chunk(file, b"acTL", struct.pack(">II", len(frames), frames.plays))
    number = 0
    for step, ((left, top, right, bottom), pixels) in enumerate(raster):
        place = (right - left, bottom - top, left, top)
        delay = seconds.numerator, seconds.denominator
        _chunk(file, b"fcTL", struct.pack(">IIIIIHHBB", number, *place, *delay, 0, 0))  # put in place, and left there
        number += 1
        image = Image.fromarray(pixels[..., : 4 if frames.transparent else 3])
        for data in _packed(image):
            if step:
                _chunk(file, b"fdAT", struct.pack(">I", number) + data)
                number += 1
            else:
                _chunk(file, b"IDAT", data)
    _chunk(file, b"IEND", b"")


def _packed(image: Image.Image) -> Iterator[bytes]:
    """The compressed pixels of an image: the data of its PNG."""
    file = BytesIO()
    image.save(file, "PNG")
    png = file.getvalue()
    at = len(SIGNATURE)
    while at < len(png):
        length, kind = struct.unpack_from(">I4s", png, at)
        if kind == b"IDAT":
            yield png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(file: BinaryIO, kind: bytes, data: bytes) -> None:
    file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc32(kind + data)))
