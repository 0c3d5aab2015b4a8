"""SVG: plain shapes, each written once and shown in the steps where it stands, in light and dark.

One CSS animation counts the steps in the custom property ``--n``. A shape that does not stay knows its first step
``--t`` (and its last, ``--e``) and takes its opacity from them, so that a page can show any step by setting ``--n``.
Shapes that occur again elsewhere are defined once and placed with <use>. Lengths are in tenths of a pixel, which are
whole numbers, and paths are relative: that makes the files small.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from itertools import groupby
from typing import BinaryIO

import numpy as np

from convviz.errors import ConvvizError
from convviz.scene import Frames, Layer, Points, Polygon, Shape, Text, text_width

THEMED = True
"""Whether a file of this format can hold two themes and follow its reader's colours."""
UNITS = 10
"""To a pixel."""
MOST_BYTES = 8 << 20
"""Browsers become slow with larger ones."""

WORDED = ' font-family="DejaVu Sans,Verdana,sans-serif" text-rendering="geometricPrecision"'
"""The font that lengths are reckoned in or one much like it, unhinted."""

_ID = "\0"
"""Stands for the picture's own prefix, which is made from the finished text."""


def write(frames: Frames, file: BinaryIO) -> None:
    """Write all steps as one animated picture.

    Raises `ConvvizError` where that would be too large for a browser.
    """
    file.write(document(frames).encode())


def write_step(frames: Frames, file: BinaryIO, step: int) -> None:
    """Write step ``step`` as a still picture."""
    file.write(document(frames.still(step)).encode())


def document(frames: Frames) -> str:
    """The <svg> element, for a file of its own or for a page; its names are its own, so many can share a page."""
    text = _Drawing(frames).text()
    return text.replace(_ID, "c" + sha256(text.encode()).hexdigest()[:4])


@dataclass(frozen=True)
class _Item:
    """One shape at a place; two with the same ``what`` are the same but for the place."""

    what: tuple[str, str, str]
    """Tag, class, and the path's data or the text with the length that it is to have."""
    x: float
    y: float

    def markup(self, x: int, y: int, **attributes: str) -> str:
        tag, style, content = self.what
        attributes["class_"] = " ".join(filter(None, (style, attributes.get("class_"))))
        if tag == "path":
            return _tag("path", **attributes, d=f"m{_pair(x, y)}{content}") + "/>"
        length, text = content.split(" ", 1)
        return f"{_tag('text', **attributes, x=str(x), y=str(y), textLength=length)}>{text}</text>"


Run = tuple[_Item, ...]
"""Shapes that follow each other in painter's order."""
Key = tuple[object, ...]
"""What a run draws, wherever it stands."""


class _Drawing:
    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.scale, self.right, self.down = (UNITS * n for n in frames.placement)
        self.classes: dict[tuple[str, str], str] = {}
        self.names: dict[Key, str] = {}
        self.definitions: list[str] = []
        self.size = 0
        self.worded = False

    def text(self) -> str:
        frames = self.frames
        dark = frames.dark() if frames.dark else frames
        width, height = frames.pixel_size
        parts = []
        if not frames.transparent:
            style = self._class(f"fill:{frames.background}", f"fill:{dark.background}")
            parts.append(f'<path class="{style}" d="M0 0H{width * UNITS}V{height * UNITS}H0z"/>')
        for layer, twin in zip(frames.layers, dark.layers, strict=True):
            parts += self._layer(layer, twin)
        about = frames.title if len(frames) > 1 else frames.step_text(0)
        definitions = f"<defs>{''.join(self.definitions)}</defs>" if self.definitions else ""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" id="{_ID}" role="img" width="{width}" height="{height}" '
            f'viewBox="0 0 {width * UNITS} {height * UNITS}" fill="none"{WORDED if self.worded else ""}>'
            f"<title>{escape(frames.name, quote=False)}</title><desc>{escape(about, quote=False)}</desc>"
            f"<style>{self._css()}</style>{definitions}{''.join(parts)}</svg>\n"
        )

    def _css(self) -> str:
        rules = [f".{name}{{{light}}}" for (light, _), name in self.classes.items()]
        night = [
            f".{name}{{{';'.join(said for said in dark.split(';') if said not in light.split(';'))}}}"
            for (light, dark), name in self.classes.items()
            if dark != light
        ]
        if night:
            rules.append(f"@media(prefers-color-scheme:dark){{{''.join(night)}}}")
        if len(self.frames) > 1:
            rules += self._steps()
        return "".join(rules)

    def _steps(self) -> Iterator[str]:
        frames = self.frames
        count = len(frames)
        # What cannot count shows the first step: programs that do not know var() skip the rules that hold it.
        yield f".{_ID}m>*,.{_ID}g>*{{opacity:0}}.{_ID}f{{opacity:1}}"
        yield f".{_ID}m>*{{opacity:min(1 + var(--n) - var(--t),1 + var(--e,var(--t)) - var(--n))}}"
        yield f".{_ID}g>*{{opacity:calc(1 + var(--n) - var(--t))}}"
        times = f"infinite {_ID}" if frames.plays == 0 else f"{frames.plays} forwards {_ID}"
        yield f"#{_ID}{{--n:0;animation:{count * frames.duration / 1000:.10g}s step-end {times}}}"
        stops = "".join(f"{100 * t / count:.7g}%{{--n:{t}}}" for t in range(count - 1))
        yield f"@keyframes {_ID}{{{stops}{100 - 100 / count:.7g}%,to{{--n:{count - 1}}}}}"
        yield f"@media(prefers-reduced-motion:reduce){{#{_ID}{{animation:none}}}}"

    def _layer(self, layer: Layer, twin: Layer) -> Iterator[str]:
        end = len(self.frames) - 1
        steps = range(1 if layer.kind == "fixed" else end + 1)
        items = ((t, tuple(self._items(layer.shapes(t), twin.shapes(t)))) for t in steps)
        if layer.kind == "moving":  # what stands still for some steps is there once
            groups = ((shown, [t for t, _ in group]) for shown, group in groupby(items, lambda pair: pair[1]))
            spans = [(shown, times[0], times[-1]) for shown, times in groups if shown]
        else:
            spans = [(shown, t, end) for t, shown in items if shown]
        runs = self._runs([shown for shown, _, _ in spans])
        if all((first, last) == (0, end) for _, first, last in spans):
            yield from (self._placed(run) for parts in runs for run in parts)
            return
        yield f'<g class="{_ID}{layer.kind[0]}">'
        for (_, first, last), parts in zip(spans, runs, strict=True):
            until = f";--e:{last}" if layer.kind == "moving" and last > first else ""
            when = {"class_": f"{_ID}f" if first == 0 else "", "style": f"--t:{first}{until}"}
            if len(parts) == 1:
                yield self._placed(parts[0], **when)
            else:
                yield f"{_tag('g', **when)}>{''.join(map(self._placed, parts))}</g>"
        yield "</g>"

    def _items(self, shapes: Sequence[Shape], twins: Sequence[Shape]) -> Iterator[_Item]:
        for shape, twin in zip(shapes, twins, strict=True):
            style = self._class(self._style(shape), self._style(twin))
            if isinstance(shape, Text):
                if shape.text.strip():
                    self.worded = True
                    length = text_width(shape.text, shape.size) * self.scale
                    # Spaces at the ends and next to another would be lost.
                    words = re.sub(r"^ +| +$| +(?= )", lambda spaces: "\u00a0" * len(spaces[0]), shape.text)
                    content = f"{length:.0f} {escape(words, quote=False)}"
                    yield self._item("text", style, content, shape.extent[0], shape.baseline)
            elif shape.points.size:
                points = shape.points.reshape(-1, *shape.points.shape[-2:])
                path = _path(points * self.scale, isinstance(shape, Polygon))
                yield self._item("path", style, path, *points[0, 0])

    def _item(self, tag: str, style: str, content: str, x: float, y: float) -> _Item:
        self.size += len(content)
        if self.size > MOST_BYTES:
            raise ConvvizError(
                f"format is .svg: its {len(self.frames)} steps hold too many shapes for a browser; "
                "save as .gif or .mp4, or choose one step"
            )
        return _Item((tag, style, content), x * self.scale + self.right, y * self.scale + self.down)

    def _style(self, shape: Shape) -> str:
        if isinstance(shape, Text):
            return f"fill:{shape.fill};font-size:{shape.size * self.scale:.4g}px"
        said = []
        if isinstance(shape, Polygon) and shape.fill:
            said.append(f"fill:{shape.fill}" + (f";fill-opacity:{shape.opacity:g}" if shape.opacity < 1 else ""))
        if shape.stroke and shape.width:
            said.append(f"stroke:{shape.stroke};stroke-width:{shape.width * self.scale:.3g}")
            if shape.dash:
                said.append("stroke-dasharray:" + " ".join(f"{length * self.scale:.4g}" for length in shape.dash))
        return ";".join(said)

    def _class(self, light: str, dark: str) -> str:
        return self.classes.setdefault((light, dark), f"{_ID}{len(self.classes)}")

    def _runs(self, steps: Sequence[Run]) -> list[list[Run]]:
        """Each step's shapes in runs: whole ones that occur again, and single shapes. What does gets a name."""
        often = Counter(item.what for items in steps for item in items)
        split = [[tuple(run) for _, run in groupby(items, lambda item: often[item.what] > 1)] for items in steps]
        times = Counter(_key(run) for runs in split for run in runs)
        parts = [
            [part for run in runs for part in ([run] if times[_key(run)] > 1 else [(item,) for item in run])]
            for runs in split
        ]
        for key, count in Counter(_key(part) for step in parts for part in step).items():
            if count > 1:
                self.names.setdefault(key, "")
        return parts

    def _placed(self, run: Run, **attributes: str) -> str:
        first, key = run[0], _key(run)
        x, y = round(first.x), round(first.y)
        if key not in self.names:
            return first.markup(x, y, **attributes)
        if not self.names[key]:
            self.names[key] = name = f"{_ID}-{len(self.definitions)}"
            if len(run) == 1:
                self.definitions.append(first.markup(0, 0, id=name))
            else:
                inner = [item.markup(_near(item.x - first.x), _near(item.y - first.y)) for item in run]
                self.definitions.append(f'<g id="{name}">{"".join(inner)}</g>')
        return _tag("use", **attributes, href=f"#{self.names[key]}", x=str(x), y=str(y)) + "/>"


def _key(run: Run) -> Key:
    first = run[0]
    return tuple((item.what, _near(item.x - first.x), _near(item.y - first.y)) for item in run)


def _near(length: float) -> int:
    return round(round(length, 6))  # what is half a unit but for noise goes the same way everywhere


def _tag(tag: str, **attributes: str) -> str:
    said = (f'{name.removesuffix("_")}="{value}"' for name, value in attributes.items() if value)
    return " ".join([f"<{tag}", *said])


def _path(points: Points, closed: bool) -> str:
    """What follows the first of (m, n, 2) points: relative moves, each rounded from the first, so that none drift."""
    said: list[str] = []
    x = y = 0
    for n, corners in enumerate(np.rint(np.round(points - points[0, 0], 6)).astype(int).tolist()):
        if n:
            said.append("m" + _pair(corners[0][0] - x, corners[0][1] - y))
            x, y = corners[0]
        start, before = (x, y), "l"
        for right, down in corners[1:]:
            command, numbers = _line(right - x, down - y)
            # Pairs after a move are lines already, and after a line too.
            again = "" if numbers[0] == "-" else " "
            said.append((again if command == before == "l" else command) + numbers)
            x, y, before = right, down, command
        if closed:
            said.append("z")
            x, y = start
    return "".join(said)


def _line(right: int, down: int) -> tuple[str, str]:
    if down == 0:
        return "h", str(right)
    if right == 0:
        return "v", str(down)
    return "l", _pair(right, down)


def _pair(x: int, y: int) -> str:
    return f"{x}{'' if y < 0 else ' '}{y}"
