"""A picture as a document asks for it: its file's name, its alt text, and HTML in which every text is escaped."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convviz.errors import ConvvizError
from convviz.files import replacing

if TYPE_CHECKING:
    from convviz.animate import Animation
    from convviz.scene import Frames

# What a page can show in an <img>, and how it is called there.
IMAGES = {
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".apng": "image/apng",
    ".png": "image/png",
}


@dataclass(frozen=True)
class Picture:
    """An animation and how it is to stand in a document."""

    name: str
    """Of the case or the operation: lower-case letters, digits, hyphens and underscores."""
    animation: Animation
    step: int | None = None
    """The step to stand still at, from 0, negative from the end; None moves."""
    format: str | None = None
    """The suffix that was asked for, such as ".gif"; None leaves it to the place."""
    alt: str = ""
    """The alt text where it is not the animation's own."""
    title: str = ""
    """Text to be set under the picture."""

    def __post_init__(self) -> None:
        if self.step is not None:
            object.__setattr__(self, "step", self.animation.step_number(self.step))

    def at(self, step: int | None) -> Picture:
        """The picture standing still at ``step``."""
        return dataclasses.replace(self, step=step)

    @property
    def alt_text(self) -> str:
        """What the picture shows, in words, in one line."""
        whole = self.animation.alt_text
        if self.step is not None:
            whole += f" Shown is {self.animation.frames.step_text(self.step)}."
        return one_line(self.alt) or whole

    @property
    def themed(self) -> bool:
        """Whether it is to follow its reader's colours, light or dark."""
        return self.animation.frames.dark is not None

    def suffix(self, moving: str, still: str = ".png") -> str:
        """The format to write: the one that was asked for, else ``still`` for one step and ``moving`` for all.

        Raises `ConvvizError` where that cannot hold two themes, as the picture should.
        """
        suffix = self.format or (".svg" if self.themed else moving if self.step is None else still)
        if self.themed and suffix != ".svg":
            raise ConvvizError(f'theme is "light,dark": a {suffix} holds one of them; give one, or the format svg')
        return suffix

    def file_name(self, suffix: str, salt: str = "") -> str:
        """A name that says what is drawn: two pictures have the same one only if they are the same.

        It is made of the operation's name and a hash alone, so it is a plain file name whatever the document says.
        """
        digest = hashlib.sha256(f"{self._fingerprint} {self.step} {salt}".encode()).hexdigest()
        return f"{self.name}-{digest[:12]}{suffix}"

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self.animation.frames)

    def save(self, path: Path, suffix: str, anew: bool = False) -> None:
        """Write the picture to ``path``, unless it is there already."""
        if anew or not path.is_file():
            with replacing(path) as file:
                self.animation.write(file, suffix, step=self.step)

    def data_uri(self, suffix: str) -> str:
        """The picture itself as a URI, for a page that cannot have files beside it."""
        file = BytesIO()
        self.animation.write(file, suffix, step=self.step)
        return f"data:{IMAGES[suffix]};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"

    def img(self, src: str, **attributes: str) -> str:
        """An <img> element, with room kept for it while it loads."""
        width, height = self.animation.frames.pixel_size
        given = {"src": src, "width": str(width), "height": str(height), "alt": self.alt_text, **attributes}
        return "<img" + "".join(f' {name}="{escape(value)}"' for name, value in given.items()) + ">"


FITTED = {"style": "max-width:100%;height:auto"}
"""Attributes of an <img> that a narrow page makes smaller."""


def image_format(given: str) -> str:
    """The suffix of an image format, for a page: "svg" and ".svg" are ".svg".

    Raises `ConvvizError` for what an <img> cannot show.
    """
    suffix = "." + given.removeprefix(".").lower()
    if suffix not in IMAGES:
        raise ConvvizError(f'format is "{given}": give {", ".join(name.removeprefix(".") for name in IMAGES)}')
    return suffix


def one_line(text: str) -> str:
    """
    >>> one_line(" two\\n  lines ")
    'two lines'
    """
    return " ".join(text.split())


def fingerprint(frames: Frames) -> str:
    """A hash of everything that ``frames`` would paint and say: equal for equal pictures, on every machine.

    >>> from convviz import Conv, animate
    >>> fingerprint(animate(Conv(4, 3)).frames) == fingerprint(animate("no_padding_no_strides").frames)
    True
    >>> fingerprint(animate(Conv(4, 3)).frames) == fingerprint(animate(Conv(4, 3), theme="dark").frames)
    False
    """
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        digest.update(repr(value).encode())

    for field in dataclasses.fields(frames):
        value = getattr(frames, field.name)
        if field.name == "dark":
            value = value and fingerprint(value())
        if not callable(value) and field.name != "layers":
            add((field.name, value))
    for t in range(len(frames)):
        add(frames.step_text(t))
    for layer in frames.layers:
        add(layer.kind)
        for t in range(1 if layer.kind == "fixed" else len(frames)):
            for shape in layer.shapes(t):
                add(type(shape).__name__)
                for field in dataclasses.fields(shape):
                    value = getattr(shape, field.name)
                    if isinstance(value, np.ndarray):
                        # Rounded, so that the last bits of another machine's arithmetic do not count; no -0.0.
                        add(value.shape)
                        digest.update((np.round(value, 3) + 0.0).tobytes())
                    else:
                        add(value)
    return digest.hexdigest()


def make_folder(path: str | os.PathLike[str]) -> Path:
    """The folder ``path``, made where there is none."""
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise ConvvizError(f'folder is "{os.fspath(path)}": cannot make it ({error.strerror})') from None
    return Path(path)
