"""A Sphinx extension: ``extensions = ["convviz.ext.sphinx"]``.

The directive takes a case or an operation, and as its options those of ``convviz render`` and those of an image::

    .. convviz:: conv-transpose
       :input-size: 3
       :kernel-size: 3
       :stride: 2
       :caption: A transposed convolution
       :name: upsampling

HTML shows it moving, LaTeX and others show one step (the first, or that of ``:step:``).

``:caption:`` alone draws the strip that ``--caption`` draws, into the picture; with a text it sets that text under it.
``:width:``, ``:height:``, ``:scale:``, ``:align:`` and ``:class:`` are those of an image. ``:theme: light,dark`` shows
one or the other: an SVG by itself, other formats in themes that know the classes only-light and only-dark (Furo,
PyData, Book).

``convviz_theme`` and ``convviz_format`` in conf.py say what holds where a directive says nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from convviz import __version__
from convviz.cli import document_parser, read_picture
from convviz.documents import FITTED, Picture, image_format, make_folder
from convviz.errors import ConvvizError

logger = logging.getLogger(__name__)

STILLS = {"application/pdf": ".pdf", "image/svg+xml": ".svg", "image/png": ".png"}
"""What a builder that is not for HTML can be given."""

# Options of an image, that set it rather than draw it.
_IMAGE: dict[str, Callable[[str], Any]] = {
    "width": directives.length_or_percentage_or_unitless,
    "height": directives.length_or_unitless,
    "scale": directives.percentage,
    "align": lambda given: directives.choice(given, ("left", "center", "right")),
    "class": directives.class_option,
}


def _words() -> dict[str, Callable[[str], Any]]:
    """The long options of a picture in a document."""
    found = {}
    for action in document_parser()._actions:
        for option in action.option_strings:
            if option.startswith("--") and option != "--title":  # a figure's caption is its own
                found[option.removeprefix("--")] = directives.flag if action.nargs == 0 else directives.unchanged
    return found


_WORDS = _words()


class picture_node(nodes.General, nodes.Element):  # noqa: N801  # docutils' nodes are named so
    """A picture whose format the builder will choose.

    ``words`` holds what `read_picture` reads, ``theme`` one or two themes, ``image`` the attributes of the image.
    """


class fitted_image(nodes.image):  # noqa: N801
    """An image of ``size`` pixels, whose room HTML keeps free while it loads, on narrow pages too.

    It has no width or height of its own: Sphinx links images that have to the file, as if they were made smaller.
    """


def visit_fitted_image(writer: Any, node: fitted_image) -> None:
    """Write an <img> that has its width and its height and is made smaller as both together."""
    writer.visit_image(node)
    width, height = node["size"]
    given = {"width": width, "height": height, **FITTED}
    attributes = " ".join(f'{name}="{value}"' for name, value in given.items())
    writer.body[-1] = writer.body[-1].replace("<img ", f"<img {attributes} ", 1)


def depart_fitted_image(writer: Any, node: fitted_image) -> None:
    """Nothing is left to write."""
    writer.depart_image(node)


class ConvvizDirective(SphinxDirective):
    """``.. convviz:: NAME_OR_OP``."""

    required_arguments = 1
    final_argument_whitespace = True  # of a layer: nn.Conv2d(1, 1, 3)
    option_spec: ClassVar[dict[str, Callable[[str], Any]]] = {
        **_WORDS,
        **_IMAGE,
        "caption": directives.unchanged,
        "name": directives.unchanged,
    }

    def run(self) -> list[nodes.Node]:
        """The figure or the picture."""
        caption = self.options.pop("caption", None)
        theme = self.options.pop("theme", self.config.convviz_theme)
        options = []
        for name, value in self.options.items():
            if name in _WORDS and name not in _IMAGE:
                options.append(f"--{name}" if value is None else f"--{name}={value}")
        if caption == "":
            options.append("--caption")
        image = {name: value for name, value in self.options.items() if name in _IMAGE}
        words = [*options, "--", self.arguments[0]]
        folder = Path(self.env.doc2path(self.env.docname)).parent
        for name in ("x", "weight"):
            numbers = os.path.join(folder, self.options.get(name, ""))
            if os.path.isfile(numbers):  # a path or numbers written out, however long
                self.env.note_dependency(numbers)
        node = picture_node("", words=words, theme=theme, image=image, folder=str(folder))
        self.set_source_info(node)
        if not caption:
            self.add_name(node)
            return [node]
        figure = nodes.figure("", node)
        self.set_source_info(figure)
        if "align" in image:
            figure["align"] = image.pop("align")
        inline, messages = self.parse_inline(caption, lineno=self.lineno)
        text = nodes.caption(caption, "", *inline)
        self.set_source_info(text)
        figure += text
        self.add_name(figure)
        return [figure, *messages]


def _draw(node: picture_node, builder: Builder) -> list[tuple[Picture, Path | None]]:
    """The pictures that ``builder`` shows for ``node`` and their files, drawn where they are not there already.

    Builders without images have no file.
    """
    themes = [theme.strip() for theme in node["theme"].split(",")]
    if len(themes) > 2:
        raise ConvvizError(f'theme is "{node["theme"]}": give one, or light,dark')
    pictures = [read_picture([f"--theme={theme}", *node["words"]], node["folder"]) for theme in themes]
    if builder.format == "html":
        suffix: str | None = pictures[0].suffix(image_format(builder.config.convviz_format))
        if suffix == ".svg" and len(themes) > 1:
            pictures = [read_picture([f"--theme={node['theme']}", *node["words"]], node["folder"])]
    else:
        suffix = next((STILLS[kind] for kind in builder.supported_image_types if kind in STILLS), None)
        pictures = [pictures[0].at(pictures[0].step or 0)]
    drawn: list[tuple[Picture, Path | None]] = []
    for picture in pictures:
        if suffix is None:
            drawn.append((picture, None))
            continue
        path = make_folder(Path(builder.doctreedir, "convviz")) / picture.file_name(suffix, __version__)
        picture.save(path, suffix)
        drawn.append((picture, path))
    return drawn


def draw_pictures(app: Sphinx, doctree: nodes.document) -> None:
    """Draw the pictures of a document that was read: documents are read in parallel, and a fault has its line."""
    for node in [*doctree.findall(picture_node)]:
        _drawn(node, app.builder)


def place_pictures(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Put images in the places of pictures, in the formats of the builder that writes.

    The document may have been read for another builder.
    """
    for node in [*doctree.findall(picture_node)]:
        images = [_image(app, docname, node, picture, path) for picture, path in _drawn(node, app.builder)]
        if len(images) == 2:
            for image, scheme in zip(images, ("light", "dark"), strict=True):
                image["classes"] = [*image["classes"], f"only-{scheme}"]
        if images:
            images[0]["ids"], images[0]["names"] = node["ids"], node["names"]
            node.replace_self(images)


def _drawn(node: picture_node, builder: Builder) -> list[tuple[Picture, Path | None]]:
    """`_draw`; a warning, and the node gone with its figure, where it cannot be drawn."""
    try:
        return _draw(node, builder)
    except ConvvizError as error:
        logger.warning("%s", error, location=node, type="convviz")
        gone = node.parent if isinstance(node.parent, nodes.figure) else node
        gone.parent.remove(gone)
        return []


def _image(app: Sphinx, docname: str, node: picture_node, picture: Picture, path: Path | None) -> nodes.image:
    attributes = {**node["image"]}
    classes = ["convviz", *attributes.pop("class", [])]
    kind = nodes.image
    if app.builder.format == "html" and not {"width", "height", "scale"} & attributes.keys():
        kind = fitted_image
        attributes["size"] = picture.animation.frames.pixel_size
    image = kind("", alt=picture.alt_text, classes=classes, **attributes)
    image.source, image.line = node.source, node.line
    # Sphinx copies what the environment lists; "?" is an image that it leaves alone.
    image["uri"] = "" if path is None else str(path)
    image["candidates"] = {"?" if path is None else "*": image["uri"]}
    if path is not None:
        app.env.images.add_file(docname, str(path))
    return image


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx's entry point."""
    app.add_config_value("convviz_theme", "light", "env", [str])
    app.add_config_value("convviz_format", "gif", "html", [str])
    # A page shows what this version draws: another one writes the pages anew.
    app.add_config_value("convviz_version", __version__, "html", [str])
    app.add_node(picture_node)
    app.add_node(fitted_image, html=(visit_fitted_image, depart_fitted_image))
    app.add_directive("convviz", ConvvizDirective)
    app.connect("doctree-read", draw_pictures)
    app.connect("doctree-resolved", place_pictures)
    return {"version": __version__, "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
