"""Where a view, a theme and a format meet."""

from __future__ import annotations

import os
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib import import_module
from io import BytesIO
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from convviz.compose.beside import beside
from convviz.compose.caption import captioned
from convviz.describe import alt_text_beside, closing, heading
from convviz.errors import ConvvizError, shown
from convviz.files import replacing
from convviz.formats import FORMATS
from convviz.ops import Operation, show
from convviz.spec import known, parse_case
from convviz.theme import THEMES, Theme
from convviz.trace import ORDERS, Trace, trace
from convviz.views import LABELS, VIEWS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from PIL.Image import Image

    from convviz.scene import Frames


MOST_VIEWS = 4
"""Side by side."""


class Animation:
    """A picture of an operation's steps. Made by `animate`; ``len()`` is the number of steps."""

    def __init__(self, traced: Trace, frames: Frames, follows: bool = False) -> None:
        self.trace = traced
        self.frames = frames
        self.follows = follows
        """Whether a file of it must follow its reader's colours, light or dark."""

    def __len__(self) -> int:
        return len(self.frames)

    def __repr__(self) -> str:
        width, height = self.frames.pixel_size
        return f"<Animation of {self.trace.op!r}, {len(self)} steps, {width} x {height} pixels>"

    @property
    def alt_text(self) -> str:
        """What the picture shows, in words."""
        return self.frames.title

    def image(self, step: int = 0) -> Image:
        """The picture at ``step``, counted from 0, negative from the end: a Pillow image in mode RGBA.

        Raises `ConvvizError` where there is no such step.
        """
        from convviz.render import Raster

        return Raster(self.frames).image(self.step_number(step))

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        suffix: str | None = None,
        step: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Write the picture to ``path``, in the format of its suffix (or of ``suffix``).

        The file is written whole or not at all. Without ``step`` a format that moves shows all steps, one that does
        not the first.

        Raises `ConvvizError` for an unknown suffix, a step that is not there or that the format cannot show alone, or
        where the folder does not exist or cannot be written.
        """
        suffix = _suffix(path) if suffix is None else suffix
        writer = self._writer(suffix, step)
        with replacing(path) as file:
            writer(replace(self.frames, watch=progress), file)

    def save_steps(
        self,
        pattern: str | os.PathLike[str],
        *,
        suffix: str | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[str]:
        """Write each step to a file of its own and return their names: ``pattern`` with ``%d`` replaced by 0, 1, ...

        ``%03d`` writes the number with three digits. ``frame-%d.pdf`` is what LaTeX's animate package reads.

        Raises `ConvvizError` as `save` does, and where the name has no place for the number.
        """
        suffix = _suffix(pattern) if suffix is None else suffix
        pieces = re.split(r"%(0[1-9])?d", os.fspath(pattern))
        if len(pieces) != 3:
            raise ConvvizError(
                f'output is "{os.fspath(pattern)}": all steps need one %d in the name, as in frame-%d.pdf'
            )
        before, digits, after = pieces
        paths = [f"{before}{step:{digits or ''}d}{after}" for step in range(len(self))]
        for step, path in enumerate(paths):
            self.save(path, suffix=suffix, step=step)
            if progress:
                progress(step)
        return paths

    def write(
        self,
        file: BinaryIO,
        suffix: str,
        *,
        step: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Write the picture to an open binary file in the format of ``suffix``, such as ".gif". See `save`."""
        self._writer(suffix, step)(replace(self.frames, watch=progress), file)

    def in_one_theme(self) -> Animation:
        """The picture in its own theme alone, in the formats too that would hold one for dark pages beside it."""
        return Animation(self.trace, replace(self.frames, dark=None))

    def player(self) -> Player:
        """The picture with buttons, a slider and the text of each step, for a notebook to show."""
        return Player(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What a notebook shows: the moving picture, or where it cannot be shown the first step."""
        width, height = self.frames.pixel_size
        moving = f"data:image/gif;base64,{self._base64('.gif')}"
        return {
            "text/html": f'<img src="{moving}" width="{width}" height="{height}" alt="{escape(self.alt_text)}">',
            "image/png": self._base64(".png"),
            "text/plain": repr(self),
        }

    def _base64(self, suffix: str) -> str:
        file = BytesIO()
        self.in_one_theme().write(file, suffix)
        return b64encode(file.getbuffer()).decode("ascii")

    def _writer(self, suffix: str, step: int | None) -> Callable[[Frames, BinaryIO], None]:
        """What writes the picture, or the one step, in the format of ``suffix``."""
        known("format", suffix, FORMATS)
        module = import_module(FORMATS[suffix])
        if self.follows and not hasattr(module, "THEMED"):
            raise ConvvizError(
                f'theme is "light,dark": a {suffix} holds one of them; give one, or save as .svg or .html'
            )
        if step is None and hasattr(module, "write"):
            return module.write  # type: ignore[no-any-return]
        chosen = self.step_number(0 if step is None else step)
        if not hasattr(module, "write_step"):
            raise ConvvizError(
                f"step is {step}: a {suffix} shows all steps; leave it out, or save as .png, .svg or .pdf"
            )
        return lambda frames, file: module.write_step(frames, file, chosen)

    def step_number(self, step: int) -> int:
        """``step`` counted from the start; a negative one is counted from the end.

        Raises `ConvvizError` where there is no such step.
        """
        try:
            step = index(step)
        except TypeError:
            raise ConvvizError(f"step is {shown(step)}: give a whole number") from None
        if not -len(self) <= step < len(self):
            raise ConvvizError(f"step is {shown(step)}: the picture has steps 0 to {len(self) - 1}")
        return step % len(self)


@dataclass(frozen=True)
class Player:
    """A picture in an inline frame of its own, undisturbed by the notebook. Made by `Animation.player`."""

    animation: Animation

    def __repr__(self) -> str:
        return f"<Player of {self.animation!r}>"

    def _repr_html_(self) -> str:
        file = BytesIO()
        self.animation.write(file, ".html")
        page, frames = escape(file.getvalue().decode()), self.animation.frames
        width, height = frames.pixel_size
        # Room for the margins, and for the buttons and the text under the picture.
        return (
            f'<iframe srcdoc="{page}" title="{escape(frames.name)}" sandbox="allow-scripts" '
            f'width="{max(width, 320) + 32}" height="{height + 132}" style="border:0;max-width:100%"></iframe>'
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        still = self.animation._base64(".png")
        return {"text/html": self._repr_html_(), "image/png": still, "text/plain": repr(self)}


def animate(
    what: Operation | Trace | str,
    view: str | Sequence[str] | None = None,
    order: str | None = None,
    theme: str | None = None,
    *,
    labels: str | None = None,
    with_transposed: bool = False,
    x: ArrayLike | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    caption: bool = False,
    transparent: bool = False,
    width: int | None = None,
    duration: int = 1000,
    plays: int = 0,
) -> Animation:
    """A moving picture of an operation.

    Parameters
    ----------
    what
        An operation, its `Trace` (with your own numbers), or the name of a case.
    view
        How it is shown: a name in `convviz.VIEWS`, or several (also "stack,grid"), which are laid side by side. The
        default is "stack", or the case's own view.
    order
        "gather" or "scatter", see `convviz.trace`; the default is the trace's or the case's own, else "gather". "both"
        shows them side by side and says at the end that they agree; the one with fewer steps holds its last one.
    theme
        A name in `convviz.THEMES`, or "light,dark" for a file that follows its reader's colours, which .svg and .html
        can be. The default is "light", in those two "light,dark".
    labels
        "values" (the default) or "symbols": what stands in the cells of a view that has any.
    with_transposed
        Whether a convolution has its transposed one beside it, which takes the output back through the same kernel; a
        transposed convolution has its direct one.
    x, weight, bias
        Your own numbers, see `convviz.trace`.
    caption
        Whether a strip under the picture names the operation, its sizes, the step and the kinds of cell.
    transparent
        Whether the background is left out.
    width
        Width in pixels; by default what its cells need, and of several pictures side by side at most 1280.
    duration
        Milliseconds that a step is shown.
    plays
        How often the animation is played; 0 is for ever.

    Raises
    ------
    ConvvizError
        Where a name is unknown or a number cannot be.

    Examples
    --------
    >>> import convviz
    >>> picture = convviz.animate(convviz.ConvTranspose(3, 3, stride=2, padding=1))
    >>> len(picture)
    25
    >>> both = convviz.animate("padding_strides", view="grid", order="both")
    >>> len(both), both.frames.step_text(25)
    (26, 'gather and scatter give the same output')
    >>> picture.save("transposed.gif")  # doctest: +SKIP
    """
    if isinstance(what, str):
        case = parse_case(what, {})
        what = case.op
        view = case.view if view is None else view
        order = case.order if order is None else order
        with_transposed = with_transposed or case.with_transposed
    views = _views(view)
    light, dark = _themes(theme)
    if order is not None:
        known("order", order, (*ORDERS, "both"))
    if labels is not None:
        known("labels", labels, LABELS)
    if width is not None:
        width = _whole("width", width, 16, 8192)
    duration, plays = _whole("duration", duration, 1, 3_600_000), _whole("plays", plays, 0, 65535)
    modules = [import_module(VIEWS[name]) for name in views]
    if labels and not any(hasattr(module, "LABELLED") for module in modules):
        raise ConvvizError(f'labels is "{labels}": the view "{views[0]}" has none; use the view "grid" or "matrix"')
    traces = _traces(what, ORDERS[0] if order == "both" else order, (x, weight, bias), with_transposed)
    if order == "both":  # of the same numbers: those of a transposed one are an output, which each order rounds
        traces += [trace(one.op, one.x, one.weight, one.bias, ORDERS[1]) for one in traces]
    alt = alt_text_beside([(traced.op, traced.order, name) for traced in traces for name in views], labels)

    def draw(colors: Theme) -> Frames:
        pictures: list[Frames] = []
        for traced in traces:
            for module in modules:
                options: dict[str, Any] = {"labels": labels} if labels and hasattr(module, "LABELLED") else {}
                if len(traces) * len(modules) > 1 and hasattr(module, "NARROW"):
                    options["narrow"] = True
                pictures.append(module.frames(traced, colors, **options))
        picture, last = pictures[0], closing(traces) if order == "both" else ""
        if len(pictures) > 1:
            headings = [heading(traced, traces) for traced in traces for _ in modules]
            picture = beside(pictures, headings, colors, last)
        picture = replace(picture, title=alt)
        return captioned(picture, colors, said=last) if caption else picture

    frames = draw(THEMES[light])
    frames = replace(
        frames,
        dark=(lambda: draw(THEMES[dark])) if dark else None,
        transparent=transparent,
        pixel_width=width or frames.pixel_width,
        duration=duration,
        plays=plays,
    )
    return Animation(traces[0], frames, follows=bool(theme and dark))


def _traces(
    what: Operation | Trace, order: str | None, numbers: tuple[Any, Any, Any], with_transposed: bool
) -> list[Trace]:
    """The trace of ``what`` and, where it is asked for, that of the operation which runs it backwards."""
    given = any(array is not None for array in numbers)
    if isinstance(what, Trace):
        if given:
            raise ConvvizError("x, weight or bias is given, but a trace has its own: give them to trace()")
        traced = what if order in (None, what.order) else trace(what.op, what.x, what.weight, what.bias, order or "")
    else:
        traced = trace(what, *numbers, order=order or "gather")
    if not with_transposed:
        return [traced]
    other = traced.op.transposed()
    if other is None:
        raise ConvvizError(
            f"output_padding is {show(getattr(traced.op, 'output_padding', 0))}: not less than the stride, so this is "
            "the transposed of no convolution; leave with_transposed out, or use less"
        )
    return [traced, trace(other, traced.output, traced.weight, order=traced.order)]


def _themes(theme: str | None) -> tuple[str, str | None]:
    """The theme, and the one beside it for dark pages, if any."""
    if theme is None:
        return "light", THEMES["light"].dark
    light, comma, dark = theme.partition(",") if isinstance(theme, str) else (theme, "", "")
    light, dark = (light.strip(), dark.strip()) if comma else (light, dark)
    known("theme", light, THEMES)
    if comma and THEMES[light].dark != dark:
        raise ConvvizError(f"theme is {shown(theme)}: of two themes, a picture can hold light,dark")
    return light, dark or None


def _views(view: str | Sequence[str] | None) -> list[str]:
    if view is None:
        return ["stack"]
    names: list[Any] = (
        view.split(",") if isinstance(view, str) else [*view] if isinstance(view, list | tuple) else [view]
    )
    if not 1 <= len(names) <= MOST_VIEWS:
        raise ConvvizError(f"view is {shown(view)}: give 1 to {MOST_VIEWS} names")
    stripped = [name.strip() if isinstance(name, str) else name for name in names]
    for name in stripped:
        known("view", name, VIEWS)
    return stripped


def _whole(name: str, number: int, least: int, most: int) -> int:
    try:
        whole = index(number)
    except TypeError:
        whole = least - 1
    if not least <= whole <= most or isinstance(number, bool):
        raise ConvvizError(f"{name} is {shown(number)}: give a whole number from {least} to {most}")
    return whole


def _suffix(path: str | os.PathLike[str]) -> str:
    try:
        suffix = Path(path).suffix.lower()
    except TypeError:
        raise ConvvizError(f"output is {shown(path)}: give the path of a file") from None
    if suffix not in FORMATS:
        said = shown(suffix) if suffix else "missing"
        raise ConvvizError(
            f'suffix of "{os.fspath(path)}" is {said}: give a file name that ends in {", ".join(FORMATS)}'
        )
    return suffix
