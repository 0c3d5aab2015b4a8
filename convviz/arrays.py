"""A user's own numbers: written out, in a .npy or .csv file, or the grey levels of an image."""

from __future__ import annotations

import os
import re
import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convviz.errors import ConvvizError

if TYPE_CHECKING:
    from PIL import Image

IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
MOST_PIXELS = 130
"""Of an image, along an axis: more cells no view can draw."""
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
MOST_BYTES = 1 << 20
"""Of a file of numbers: enough for that many cells, however they are written."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""Of the numbers of a line in a file; where the comma is the decimal sign, spreadsheets write semicolons."""
SPACED = re.compile(r"\s*([,;])\s*")


def read_array(name: str, given: str) -> NDArray[Any]:
    """The array that ``given`` stands for.

    Rows are parted by ``;`` and their numbers by commas or spaces: ``1,0,-1;2,0,-2``. One row is an array of one axis,
    with a ``;`` at its end one of two. Anything that ends like a file's name is a file: ``.npy``, ``.csv`` or ``.txt``
    (a line a row, its numbers parted by commas, semicolons, tabs or spaces), or an image, whose grey levels from 0 to
    255 are the numbers.

    Raises `ConvvizError`, which calls the array ``name``, where it cannot be read.

    >>> read_array("weight", "1,0;-1.5,2").tolist(), read_array("x", "1,2,3").shape, read_array("x", "1,2,3;").shape
    ([[1.0, 0.0], [-1.5, 2.0]], (3,), (1, 3))
    """
    suffix = os.path.splitext(given)[1].lower()
    if suffix in (".npy", ".npz"):
        return _load(name, given)
    if suffix in (".csv", ".txt"):
        return np.array(_rows(name, given, _lines(name, given) or [""]))
    if suffix in IMAGES:
        return _grey(name, given)
    text = given.strip()
    array = np.array(_rows(name, given, text.removesuffix(";").split(";")))
    return array if ";" in text else array[0]


def _rows(name: str, given: str, lines: list[str]) -> list[list[int | float]]:
    try:
        rows = [[_number(item) for item in row.split("," if "," in row else None) or [""]] for row in lines]
    except ValueError as error:
        raise ConvvizError(
            f'{name} is "{_short(given)}": cannot read {error}; give numbers such as "1,0,-1;2,0,-2", or a .npy, .csv '
            "or image file"
        ) from None
    if len({len(row) for row in rows}) > 1:
        told = ", ".join(str(len(row)) for row in rows[:6])
        raise ConvvizError(f'{name} is "{_short(given)}": its rows have {told} numbers; give each as many')
    return rows


def _number(text: str) -> int | float:
    text = text.strip()
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise ValueError(f'"{_short(text)}"') from None


def _lines(name: str, path: str) -> list[str]:
    try:
        text = _content(name, path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unread(name, path, error) from None
    lines = [SPACED.sub(r"\1", line.strip()) for line in text.splitlines() if line.strip()]
    found = [separator for separator in SEPARATORS if any(separator in line for line in lines)]
    if len(found) > 1:
        # A comma may part numbers or be a decimal one: which, nobody can tell.
        both = " and ".join(SEPARATORS[separator] for separator in found[:2])
        raise ConvvizError(
            f'{name} is "{path}": it holds {both}; part its numbers by one of them, and write decimals as in 1.5'
        )
    return [line.replace(found[0], ",").rstrip(",") for line in lines] if found else lines


def _content(name: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _unread(name, path, error) from None
    if len(content) > MOST_BYTES:
        raise ConvvizError(f'{name} is "{path}": larger than {MOST_BYTES} bytes; give fewer numbers')
    return content


def _load(name: str, path: str) -> NDArray[Any]:
    content = _content(name, path)
    if content.startswith(b"PK"):
        raise ConvvizError(f'{name} is "{path}": it holds several arrays; save one with numpy.save')
    try:
        # Never with pickles: a file from elsewhere must not run code. From memory: a header that claims more bytes
        # than there are gets no room for them.
        array: NDArray[Any] = np.lib.format.read_array(BytesIO(content), allow_pickle=False)
    except Exception as error:  # a broken header can make anything of NumPy's and Python's parsers fail
        raise _unread(name, path, error) from None
    return array


def _grey(name: str, path: str) -> NDArray[Any]:
    from PIL import Image

    try:
        # Only formats that Pillow itself reads, whatever the suffix says; a bomb is refused before it is unpacked.
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(path, formats=FORMATS)
        with opened as image:
            width, height = image.size
            if max(width, height) <= MOST_PIXELS:
                return _levels(image)
    except Exception as error:  # a broken file can make anything of a decoder fail
        raise _unread(name, path, error) from None
    raise ConvvizError(
        f'{name} is "{path}": {width} x {height} pixels; resize it to at most {MOST_PIXELS} x {MOST_PIXELS}'
    )


def _levels(image: Image.Image) -> NDArray[np.int64]:
    """Grey levels from 0 to 255, whatever depth the pixels have."""
    # Pillow would cut what is deeper off at 255. It reads some 16-bit images into 32 bits.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return (np.asarray(image).astype(np.int64) + 128) // 257
    if image.mode in ("I", "F"):
        raise ValueError("its pixels are 32-bit numbers; save them as .npy")
    return np.asarray(image.convert("L"), np.int64)


def _unread(name: str, path: str, error: Exception) -> ConvvizError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error).split("\n")[0]
    return ConvvizError(f'{name} is "{path}": cannot be read ({why})')


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
