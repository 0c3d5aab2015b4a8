"""Draw the gallery's pictures and write its page. Run by ``make gallery``."""

from __future__ import annotations

import sys
from pathlib import Path

from convviz import CASES, ConvTranspose, animate, describe
from convviz.cases import GUIDE
from convviz.cli import main
from convviz.spec import command

HERE = Path(__file__).parent

TOP = """\
# Gallery

Every file here may be used freely (MIT licence). `make gallery` draws them all again, byte for byte. The first
fifteen are the pictures of Dumoulin & Visin's [guide to convolution arithmetic](https://arxiv.org/abs/1603.07285):
below, in blue, the plane that is read; above, in teal, the plane that is written. Grey is padding, yellow with a
small frame a zero that is inserted between the cells of the input, a cross marks what takes no part.
[`reference/`](reference) has these and the four numerical ones in the guide's own colours. GIF is shown here because
every place that takes a picture shows it; the same commands with `-o NAME.svg` write a file that is 5 to 23 times
smaller (2 to 4 times with numbers) and follows the reader's light or dark colours.

To use one, copy its file and paste its line; to change one, change its command.

"""

# The guide's numerical figures.
NUMERICAL = [
    "numerical_no_padding_no_strides",
    "numerical_padding_strides",
    "numerical_max_pooling",
    "numerical_average_pooling",
]

# The project's own README shows these as SVG, with a legend.
FOR_README = ["padding_strides", "padding_strides_transposed", "gather_and_scatter"]

# Heading, what to see, and the cases. Rows of two stand side by side.
SECTIONS = [
    (
        "The numbers",
        "Each cell holds its value, the corner of a cell under the window the kernel's. The first four are the "
        "numerical figures of the guide, with its values.",
        [*NUMERICAL, "numerical_padding_strides_transposed"],
    ),
    (
        "Stamping, inserting zeros: the same numbers",
        "A transposed convolution read as a gather needs inserted zeros and a kernel turned by 180 degrees. Read as a "
        "scatter it needs neither: each input cell stamps the kernel, and the padding crops.",
        ["stamping", "gather_and_scatter"],
    ),
    (
        "Checkerboards",
        "The deeper its colour, the more often a cell is stamped. A kernel of 3 with stride 2 stamps neighbours one, "
        "two or four times, which shows as a checkerboard in what such layers paint ([Odena et al. "
        "2016](https://distill.pub/2016/deconv-checkerboard/)). A kernel of 4, a multiple of the stride, stamps all "
        "cells alike but for the border.",
        ["checkerboard", "no_checkerboard"],
    ),
    (
        "Why it is called transposed",
        "A convolution is a matrix C, one row an output cell. A transposed one uses the C of a convolution turned "
        "over: a column for each output or, as here, a row for each input that stamps.",
        ["matrix", "matrix_transposed"],
    ),
    ("Side by side", "A convolution and its transposed one, and two views of one.", ["direct_and_transposed",
                                                                                     "stack_and_grid"]),
    (
        "Pooling",
        "Max pooling marks the winning cell. With ceil_mode a last window runs past the padding, over cells that "
        "do not count.",
        ["max_pooling", "max_pooling_ceil_mode"],
    ),
    ("Padding with copies", "Each cell of the padding shows the value that it copies, and from where.",
     ["reflect_padding", "circular_padding"]),
    (
        "Channels",
        "Every output channel reads all input channels of its group; in a depthwise convolution each has a group of "
        "its own.",
        ["channels", "depthwise"],
    ),
]  # fmt: skip


def page() -> str:
    """The text of README.md."""
    parts = [TOP, "## The pictures of the guide\n\n"]
    for name in GUIDE:
        if not name.endswith("_transposed"):
            both = [each for each in (name, f"{name}_transposed") if each in GUIDE]
            parts += [f"### {name.replace('_', ' ').capitalize()}\n\n", table(both)]
    for heading, words, names in SECTIONS:
        parts += [f"## {heading}\n\n{words}\n\n", *map(table, rows(names))]
    return "".join(parts).rstrip() + "\n"


def rows(names: list[str]) -> list[list[str]]:
    """Names that stand side by side: two, or one where a picture is wide."""
    found: list[list[str]] = []
    for name in names:
        wide = animate(name).frames.pixel_size[0] > 640
        if found and len(found[-1]) == 1 and not wide and animate(found[-1][0]).frames.pixel_size[0] <= 640:
            found[-1].append(name)
        else:
            found.append([name])
    return found


def table(names: list[str]) -> str:
    """The pictures side by side, and under them what to paste."""
    heads = [f"`{name}`" for name in names], ["---"] * len(names)
    cells = [*heads, *([make(name) for name in names] for make in (picture, sizes, arithmetic))]
    rows = "\n".join("| " + " | ".join(row) + " |" for row in cells)
    commands, lines = ("\n".join(make(name) for name in names) for make in (shell, picture))
    return f"{rows}\n\n```sh\n{commands}\n```\n\n```markdown\n{lines}\n```\n\n"


def picture(name: str) -> str:
    return f"![{animate(name).alt_text}]({name}.gif)"


def sizes(name: str) -> str:
    op = CASES[name].op
    return f"{describe.title(op)}: {describe.parameters(op)}"


def arithmetic(name: str) -> str:
    op = CASES[name].op
    told = ", ".join(f"`o = {line}`" for line in describe.formula(op))
    if isinstance(op, ConvTranspose):
        zeros = describe.alike(tuple(s - 1 for s in op.gather.spacing))
        told += f"<br>drawn with stride 1, inserted zeros {zeros}, p' = {describe.alike(op.gather.padding)}"
    return told


def shell(name: str) -> str:
    return f"convviz render {command(CASES[name])} -o {name}.gif"


if __name__ == "__main__":
    failed = main(["gallery", str(HERE)])
    failed = failed or main(["gallery", str(HERE / "reference"), *GUIDE, *NUMERICAL, "--theme", "reference"])
    for name in FOR_README:
        animate(name, caption=True).save(HERE / f"{name}.svg")
    (HERE / "README.md").write_text(page(), encoding="utf-8")
    sys.exit(failed)
