"""Draw the gallery's pictures and write its page. Run by ``make gallery``."""

from __future__ import annotations

import sys
from pathlib import Path

from convviz import CASES, animate, describe
from convviz.cli import main
from convviz.spec import command

HERE = Path(__file__).parent


def page() -> str:
    """The text of README.md."""
    lines = [
        "# Gallery",
        "",
        "The pictures of Dumoulin & Visin's [guide to convolution arithmetic](https://arxiv.org/abs/1603.07285), "
        "drawn by convviz: each convolution beside the transposed convolution that runs it backwards. Below: blue, "
        "the input; above: teal, the output; grey, padding; yellow with a ring, zeros inserted between the cells of "
        "the input. [`reference/`](reference) has the same pictures in the guide's own colours.",
        "",
        "Every file may be used freely (MIT licence). `make gallery` draws them all again, byte for byte.",
        "",
    ]
    for name, case in CASES.items():
        if case.view != "stack" or name.endswith("_transposed"):
            continue
        both = [name, f"{name}_transposed"]
        shown = [each for each in both if each in CASES]
        lines += [f"## {name.replace('_', ' ').capitalize()}", ""]
        lines += ["| " + " | ".join(describe.NAMES[CASES[each].op.name].capitalize() for each in shown) + " |"]
        lines += ["| " + " | ".join("---" for _ in shown) + " |"]
        lines += ["| " + " | ".join(f"![{animate(each).alt_text}]({each}.gif)" for each in shown) + " |"]
        for row in (_name, _sizes, _parameters, _formula, _command):
            lines += ["| " + " | ".join(row(each) for each in shown) + " |"]
        lines += [""]
    return "\n".join(lines)


def _name(name: str) -> str:
    return f"`{name}`"


def _sizes(name: str) -> str:
    op = CASES[name].op
    return f"{describe.times(op.input_size)} → {describe.times(op.output_size)}"


def _parameters(name: str) -> str:
    return describe.parameters(CASES[name].op)


def _formula(name: str) -> str:
    op = CASES[name].op
    inside = op.gather
    drawn = ""
    if op.name == "conv-transpose":
        zeros = describe.alike(tuple(s - 1 for s in inside.spacing))
        drawn = f"<br>drawn with stride 1, {zeros} zeros inserted, p' = {describe.alike(inside.padding)}"
    return "o = " + ", ".join(describe.formula(op)) + drawn


def _command(name: str) -> str:
    return f"`convviz render {command(CASES[name].op)} -o {name}.gif`"


if __name__ == "__main__":
    failed = main(["gallery", str(HERE)]) or main(["gallery", str(HERE / "reference"), "--theme", "reference"])
    (HERE / "README.md").write_text(page(), encoding="utf-8")
    sys.exit(failed)
