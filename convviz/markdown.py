"""Markdown pages: fences that ask for a picture, turned into pictures beside the page.

A fence ::

    ```convviz
    conv-transpose -i 3 -k 3 -s 2
    ```

becomes ::

    <!-- convviz: conv-transpose -i 3 -k 3 -s 2 -->

    ![Animation of a transposed convolution ...](page-conv-transpose-0123456789ab.gif)

    <!-- /convviz -->

Every renderer of Markdown shows that, and none shows the comments, which keep what is needed to do it again. The
picture's name is a hash of what it shows, so the same words always give the same page.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from convviz.documents import Picture, make_folder, one_line
from convviz.errors import ConvvizError
from convviz.files import replacing

MOVING = ".gif"
"""What moves on GitHub, in Jekyll and in Hugo alike."""

_FENCE = re.compile(r"( *)(`{3,}|~{3,})[ \t]*([^`]*)$")
_ITEM = re.compile(r" *(?:[-*+]|\d{1,9}[.)]) +")
_BEGIN = re.compile(r"( *)<!-- convviz:(.*)$")
_END = re.compile(r" *<!-- /convviz -->[ \t]*$")
_IMAGE = re.compile(r' *!\[(?:[^\]\\]|\\.)*\]\((?P<src>\S+?)(?: "[^"]*")?\)[ \t]*$')
_HTML_COMMENT_END = "-->"


@dataclass(frozen=True)
class Block:
    """Lines ``start`` to ``stop`` of a page, which stand for the picture that ``words`` ask for."""

    start: int
    stop: int
    indent: str
    words: str
    old: tuple[str, ...] = ()
    """File names of pictures that the block shows now."""


@dataclass
class Update:
    """What became of a page."""

    changed: bool = False
    """Whether the page's text is another, or would be."""
    written: list[Path] = field(default_factory=list)
    """Pictures that were missing."""
    removed: list[Path] = field(default_factory=list)
    """Pictures that the page named and names no longer."""

    def __bool__(self) -> bool:
        return bool(self.changed or self.written or self.removed)


def update(
    page: str | os.PathLike[str],
    read: Callable[[str], Picture],
    folder: str | os.PathLike[str] | None = None,
    url: str | None = None,
    redraw: bool = False,
    check: bool = False,
) -> Update:
    """Draw the pictures that ``page`` asks for and put them in.

    Pictures go to ``folder`` (the page's own), under names that no document chooses; the page names them by ``url``
    and that name, else by their path from the page. A picture that is there already is drawn anew with ``redraw``
    only. With ``check`` nothing is written; the result says what would be.

    Raises `ConvvizError` with the page and the line for a fence that cannot be drawn; then the page stays as it was.
    """
    page = Path(page)
    text = _read(page)
    folder = page.parent if folder is None else Path(folder)
    if url is None:
        there = os.path.relpath(folder, page.parent).replace(os.sep, "/")
        url = "" if there == "." else there + "/"
    lines = text.split("\n")
    blocks = [*_blocks(lines, page)]
    pictures = []
    for block in blocks:
        try:
            pictures.append(read(block.words))
        except ConvvizError as error:
            raise ConvvizError(f"{page}:{block.start + 1}: {error}") from None
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", page.stem).strip("-") or "page"
    new = list(lines)
    named: dict[str, tuple[Picture, Block]] = {}
    for block, picture in reversed([*zip(blocks, pictures, strict=True)]):
        name = f"{stem}-{picture.file_name(picture.suffix(MOVING))}"
        named[name] = picture, block
        # A page with CR LF keeps it.
        eol = "\r" if lines[block.start].endswith("\r") else ""
        new[block.start : block.stop] = [line + eol for line in _shown(block, picture, quote(url, "/:@%~") + name)]
    result = Update(new != lines)
    stale = {name for block in blocks for name in block.old if _is_ours(name, stem)} - set(named)
    result.removed = [folder / name for name in sorted(stale) if (folder / name).is_file()]
    result.written = [folder / name for name in sorted(named) if redraw or not (folder / name).is_file()]
    if check:
        return result
    _draw(result.written, named, page)
    if result.changed:
        with replacing(page) as file:
            file.write("\n".join(new).encode())
    for path in result.removed:
        path.unlink(missing_ok=True)
    return result


def _draw(paths: list[Path], named: dict[str, tuple[Picture, Block]], page: Path) -> None:
    """Write the pictures; where one cannot be, take those away that were not there before."""
    new = [path for path in paths if not path.exists()]
    try:
        for path in paths:
            picture, block = named[path.name]
            make_folder(path.parent)
            try:
                picture.save(path, path.suffix, anew=True)
            except ConvvizError as error:
                raise ConvvizError(f"{page}:{block.start + 1}: {error}") from None
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise


def _read(page: Path) -> str:
    try:
        return page.read_bytes().decode()
    except OSError as error:
        raise ConvvizError(f'page is "{page}": cannot read it ({error.strerror})') from None
    except UnicodeDecodeError:
        raise ConvvizError(f'page is "{page}": it is not UTF-8') from None


def _shown(block: Block, picture: Picture, src: str) -> list[str]:
    """The lines that take the block's place."""
    comment = f"<!-- convviz: {block.words} -->".split("\n")
    shown = [*comment, "", markdown_image(picture, src), "", "<!-- /convviz -->"]
    return [block.indent + line if line else "" for line in shown]


def markdown_image(picture: Picture, src: str) -> str:
    """The picture at the URL ``src``, with its alt text and its title."""
    title = f' "{markdown_text(picture.title)}"' if picture.title.strip() else ""
    return f"![{markdown_text(picture.alt_text)}]({src}{title})"


def markdown_text(text: str) -> str:
    """``text`` in one line as Markdown that shows just that, in an image's alt text or title too.

    >>> print(markdown_text('a [b] *c* <script> "d"'))
    a \\[b\\] \\*c\\* &lt;script&gt; &quot;d&quot;
    """
    line = re.sub(r"([\\`*_{}\[\]])", r"\\\1", one_line(text))
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        line = line.replace(character, entity)
    return line


def _is_ours(name: str, stem: str) -> bool:
    """Whether this page's pictures are named so: a plain file name, so nothing else is ever removed."""
    return re.fullmatch(re.escape(stem) + r"-[a-z0-9_-]+-[0-9a-f]{12}\.[a-z]+", name) is not None


def _blocks(lines: list[str], page: Path) -> Iterator[Block]:
    """The fences and the earlier pictures of a page; what stands in other fences is left alone."""
    at = 0
    while at < len(lines):
        line = lines[at].rstrip("\r")
        if fence := _opening(lines, at):
            indent, marks, info = fence
            stop = _closing(lines, at, indent, marks)
            if info.split()[:1] == ["convviz"]:
                if info.split() != ["convviz"]:
                    raise ConvvizError(f'{page}:{at + 1}: fence begins "{info.strip()}": put the words into its body')
                if stop is None:
                    raise ConvvizError(f"{page}:{at + 1}: fence is not closed: end it with {marks}")
                words = _words([_stripped(inner, indent) for inner in lines[at + 1 : stop]], page, at)
                yield Block(at, stop + 1, indent, words)
            at = len(lines) if stop is None else stop + 1
        elif begin := _BEGIN.match(line):
            yield (block := _earlier(lines, at, begin[1], page))
            at = block.stop
        else:
            at += 1


def _words(inner: list[str], page: Path, at: int) -> str:
    words = "\n".join(inner).strip()
    if _HTML_COMMENT_END in words:
        raise ConvvizError(f"{page}:{at + 1}: fence holds {_HTML_COMMENT_END}: it would end the comment that keeps it")
    return words


def _earlier(lines: list[str], at: int, indent: str, page: Path) -> Block:
    """The block of an earlier run that begins at line ``at``."""
    comment, stop = [], at
    while True:
        line = _stripped(lines[stop], indent)
        comment.append(line)
        stop += 1
        if _HTML_COMMENT_END in line:
            break
        if stop == len(lines):
            raise ConvvizError(f"{page}:{at + 1}: comment is not closed: end it with {_HTML_COMMENT_END}")
    words, _, rest = "\n".join(comment).removeprefix("<!-- convviz:").partition(_HTML_COMMENT_END)
    old: list[str] = []
    while stop < len(lines) and not rest.strip():
        line = lines[stop].rstrip("\r")
        stop += 1
        if _END.match(line):
            return Block(at, stop, indent, words.strip(), tuple(old))
        if image := _IMAGE.match(line):
            old.append(image["src"].rpartition("/")[2])
        elif line.strip():
            break  # not of our making: it must not be lost
    raise ConvvizError(
        f"{page}:{at + 1}: picture has no <!-- /convviz --> after it: put it there, or take the comment and the "
        "picture away and write a fence"
    )


def _opening(lines: list[str], at: int) -> tuple[str, str, str] | None:
    """Indent, marks and info string, where line ``at`` opens a fence.

    A fence is indented by at most three spaces more than what it stands in, which may be an item of a list.
    """
    fence = _FENCE.match(lines[at].rstrip("\r"))
    if fence is None:
        return None
    deep = len(fence[1])
    below = deep
    for earlier in reversed(lines[:at]):
        if below <= 3:
            break
        indent = len(earlier) - len(earlier.lstrip(" "))
        if earlier.strip() and indent < below:
            item = _ITEM.match(earlier)
            if item and item.end() <= deep:
                return (fence[1], fence[2], fence[3]) if deep - item.end() <= 3 else None
            below = indent
    return (fence[1], fence[2], fence[3]) if deep <= 3 else None


def _closing(lines: list[str], at: int, indent: str, marks: str) -> int | None:
    closing = re.compile(rf" {{0,{len(indent) + 3}}}{marks[0]}{{{len(marks)},}}[ \t]*\r?$")
    return next((i for i in range(at + 1, len(lines)) if closing.match(lines[i])), None)


def _stripped(line: str, indent: str) -> str:
    line = line.rstrip("\r")
    return line[len(indent) :] if line.startswith(indent) else line.lstrip(" ")
