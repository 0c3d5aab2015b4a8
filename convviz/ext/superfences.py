"""A custom fence for Python-Markdown with pymdownx.superfences, so for MkDocs and Zensical.

A fence holds the words that follow ``convviz render``, and ``--title``, ``--alt`` and ``--format``::

    ```convviz
    conv-transpose -i 3 -k 3 -s 2 --title "A transposed convolution"
    ```

The picture is put into the page itself, as an animated SVG, so nothing needs to know where the site is built. With
``--theme light,dark`` it follows its reader's colours. In ``mkdocs.yml``::

    markdown_extensions:
      - pymdownx.superfences:
          custom_fences:
            - name: convviz
              class: convviz
              format: !!python/name:convviz.ext.superfences.formatter
              validator: !!python/name:convviz.ext.superfences.validator
"""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import Any

from pymdownx.superfences import SuperFencesException

from convviz.cli import read_picture
from convviz.documents import FITTED, one_line
from convviz.errors import ConvvizError

MOVING = ".svg"
"""A twentieth of a GIF, sharp at any size, and it stops for readers who ask for less motion."""


def validator(language: str, inputs: dict[str, Any], options: dict[str, Any], attrs: dict[str, Any], md: Any) -> bool:
    """Refuse options in the fence's first line: everything is said in its body.

    Raises ``SuperFencesException``, which ends the build; returning False would show the fence as code.
    """
    if inputs:
        given = " ".join(inputs)
        raise SuperFencesException(
            f"convviz: fence's first line has the option {given}: put it into the body, as on the command line"
        )
    return True


def formatter(
    source: str,
    language: str,
    class_name: str,
    options: dict[str, Any],
    md: Any,
    classes: list[str] | None = None,
    id_value: str = "",
    **_: Any,
) -> str:
    """The HTML of a fence.

    Raises ``SuperFencesException``, which ends the build, with the line and, in MkDocs, the file, where the picture
    cannot be drawn.
    """
    try:
        page = _page(md)
        picture = read_picture(source, os.path.dirname(page) if page else ".")
        src = picture.data_uri(picture.suffix(MOVING))
    except ConvvizError as error:
        raise SuperFencesException(f"convviz: {_place(source, md)}{error}") from None
    outer = {"id": id_value, "class": " ".join([class_name, *(classes or [])]).strip()}
    outer = {name: value for name, value in outer.items() if value}
    title = one_line(picture.title)
    if not title:
        return picture.img(src, **FITTED, **outer)
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in outer.items())
    return f"<figure{attributes}>{picture.img(src, **FITTED)}<figcaption>{escape(title)}</figcaption></figure>"


def _page(md: Any) -> str | None:
    """The file that is being read, in MkDocs, which hands its page to the converter."""
    if "relpath" not in md.treeprocessors:
        return None
    return getattr(getattr(md.treeprocessors["relpath"], "file", None), "abs_src_path", None)


def _place(source: str, md: Any) -> str:
    """Where the fence is, as far as it is known: "docs/page.md:7: "."""
    path = _page(md)
    try:
        # The converter has the text without what stands before it (the front matter), so the file has other lines.
        lines = Path(path).read_text("utf-8-sig").splitlines() if path else md.lines
    except (OSError, UnicodeDecodeError):
        path, lines = None, md.lines
    body = [line.strip() for line in source.strip().splitlines()]
    for at in range(1, len(lines)):
        if "convviz" in lines[at - 1] and [line.strip(" \t>") for line in lines[at : at + len(body)]] == body:
            return f"{os.path.relpath(path)}:{at}: " if path else f"line {at} of the text: "
    return ""
