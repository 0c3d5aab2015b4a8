"""What to paste into a page so that it shows a picture, and the files that this names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote

from convviz.documents import FITTED, Picture, make_folder, one_line
from convviz.errors import ConvvizError
from convviz.markdown import markdown_image, markdown_text
from convviz.spec import known

# A picture of one theme, as a document asks for it.
Themed = Mapping[str, Picture]


def _main(pictures: Themed) -> Picture:
    return next(iter(pictures.values()))


class _Files:
    """The files of a snippet: a name for each, drawn when it is asked for."""

    def __init__(self, folder: str, stem: str) -> None:
        self.folder, self.stem = folder, stem
        make_folder(folder)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name).removeprefix("." + os.sep).replace(os.sep, "/")

    def write(self, picture: Picture, suffix: str, step: int | None = None, mark: str = "") -> str:
        """Write one file and return its path."""
        name = self.stem + mark + suffix
        picture.animation.save(Path(self.folder, name), step=step)
        return self.path(name)


def snippet(pictures: Themed, place: str, folder: str = ".", stem: str | None = None) -> str:
    """Write the files of a picture to ``folder`` and return what to paste at ``place``.

    ``pictures`` holds the picture in the theme that is shown, first, and in the theme "dark" where there is to be
    one for readers in the dark. File names begin with ``stem``, by default the operation's name and a hash of what is
    shown.

    Raises `ConvvizError` for an unknown place, or where a file cannot be drawn or written.
    """
    known("for", place, PLACES)
    stem = _main(pictures).file_name("") if stem is None else stem
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", stem):
        raise ConvvizError(f'name is "{stem}": give letters, digits, and . _ - in between')
    return PLACES[place](pictures, _Files(folder, stem))


def _html(pictures: Themed, files: _Files) -> str:
    """A <picture>, and the text under it."""
    shown = _picture(pictures, files, **FITTED)
    title = one_line(_main(pictures).title)
    if not title:
        return shown
    lines = ["<figure>", *(f"  {line}" for line in shown.split("\n"))]
    return "\n".join([*lines, f"  <figcaption>{escape(title)}</figcaption>", "</figure>"])


def _github(pictures: Themed, files: _Files) -> str:
    """GitHub takes <figure> and styles out, and fits pictures by itself."""
    shown = _picture(pictures, files)
    title = one_line(_main(pictures).title)
    return f"{shown}\n<br><em>{escape(title)}</em>" if title else shown


def _picture(pictures: Themed, files: _Files, **attributes: str) -> str:
    """What moves only for readers who have not asked their system for less motion."""
    main, others = _main(pictures), [*pictures.items()][1:]
    suffix = main.suffix(".gif")
    follows = [(f"(prefers-color-scheme: {other})", f"-{other}", picture) for other, picture in others]
    sources = []
    if main.step is None and suffix != ".svg":  # which stops by itself
        less = "(prefers-reduced-motion: reduce)"
        for scheme, mark, picture in follows:
            sources.append(_source(files.write(picture, ".png", 0, mark), f"{scheme} and {less}"))
        sources.append(_source(files.write(main, ".png", 0), less))
    for scheme, mark, picture in follows:
        sources.append(_source(files.write(picture, suffix, main.step, mark), scheme))
    shown = files.write(main, suffix, main.step)
    image = main.img(_url(shown), **attributes)
    if not sources:
        return image
    return "\n".join(["<picture>", *(f"  {source}" for source in sources), f"  {image}", "</picture>"])


def _source(path: str, media: str) -> str:
    return f'<source media="{escape(media)}" srcset="{escape(_url(path))}">'


def _url(path: str) -> str:
    return quote(path, safe="/~")


def _markdown(pictures: Themed, files: _Files) -> str:
    main = _main(pictures)
    return markdown_image(main, _url(files.write(main, main.suffix(".gif"), main.step)))


def _rst(pictures: Themed, files: _Files) -> str:
    main = _main(pictures)
    path = files.write(main, main.suffix(".gif"), main.step)
    width, height = main.animation.frames.pixel_size
    directive = "figure" if main.title.strip() else "image"
    lines = [
        f".. {directive}:: {path}",
        f"   :alt: {main.alt_text}",
        f"   :width: {width}px",
        f"   :height: {height}px",
    ]
    if main.title.strip():
        lines += ["", "   " + re.sub(r"([\\*`_|])", r"\\\1", one_line(main.title))]
    return "\n".join(lines)


def _quarto(pictures: Themed, files: _Files) -> str:
    """What moves where the output is HTML, a vector still elsewhere."""
    main = _main(pictures)
    moving = _url(files.write(main, main.suffix(".gif"), main.step))
    still = _url(files.write(main, ".pdf", main.step or 0))
    width, _ = main.animation.frames.pixel_size
    alt = re.sub(r'([\\"])', r"\\\1", main.alt_text)
    caption = markdown_text(main.title)
    lines = [
        ':::: {.content-visible when-format="html"}',
        f'![{caption}]({moving}){{fig-alt="{alt}" width={width}}}',
        "::::",
    ]
    lines += ["", ':::: {.content-visible unless-format="html"}', f'![{caption}]({still}){{fig-alt="{alt}"}}', "::::"]
    return "\n".join(lines)


def _latex(pictures: Themed, files: _Files) -> str:
    """The animate package's frames, or one step."""
    main = _main(pictures)
    # Alt texts go into the PDF as they are.
    alt = re.sub(r"[^ -~]|[\\%#{}~^&$_]", "", main.alt_text.translate(_PLAIN))
    # As large as a slide has room for, with its heading, the buttons and the caption.
    fitted = f"width=\\linewidth,height={'.65' if main.title.strip() else '.75'}\\textheight,keepaspectratio"
    if main.step is not None:
        path = files.write(main, ".pdf", main.step)
        shown = f"\\includegraphics[{fitted},alt={{{alt}}}]{{{path}}}"
        needs = "% \\usepackage{graphicx}"
    else:
        count, frames = len(main.animation), main.animation.frames
        for step in range(count):
            files.write(main, ".pdf", step, f"-{step}")
        options = [fitted, "controls", "poster=first", f"alttext={{{alt}}}"]
        if frames.plays == 0:
            options.insert(1, "loop")
        base = files.path(files.stem + "-")
        shown = f"\\animategraphics[{','.join(options)}]{{{1000 / frames.duration:g}}}{{{base}}}{{0}}{{{count - 1}}}"
        needs = "% \\usepackage{animate}; it moves in Acrobat, Okular and KDE's readers, others show the first step"
    if not main.title.strip():
        return f"{needs}\n{shown}"
    caption = f"  \\caption{{{latex_text(main.title)}}}"
    return "\n".join([needs, "\\begin{figure}", "  \\centering", f"  {shown}", caption, "\\end{figure}"])


def latex_text(text: str) -> str:
    """``text`` in one line as LaTeX that sets just that.

    >>> print(latex_text("50% of a_b {c}, 3×3"))
    50\\% of a\\_b \\{c\\}, 3$\\times$3
    """
    return "".join(_LATEX.get(character, character) for character in one_line(text))


_PLAIN = str.maketrans({"×": "x", "→": " to ", "ᵀ": " transposed", "_": " ", "(": "[", ")": "]"})
_LATEX = {character: "\\" + character for character in "&%$#_{}"} | {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "\\textless{}",
    ">": "\\textgreater{}",
    "×": "$\\times$",
    "→": "$\\rightarrow$",
}

# Name after --for -> what writes it.
PLACES: dict[str, Callable[[Themed, _Files], str]] = {
    "github": _github,
    "html": _html,
    "markdown": _markdown,
    "rst": _rst,
    "quarto": _quarto,
    "latex": _latex,
}
