"""Measure convviz: speed as ratios taken in one run, size, and memory. Run by ``make bench``.

The machine's speed drifts, so each ratio is the median over pairs of runs taken in turn.
"""

from __future__ import annotations

import compileall
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convviz import Conv, ConvTranspose

PAIRS = 7
CASE = "no_padding_strides_transposed"
# Bytes of the guide's own GIFs.
REFERENCE = {
    "no_padding_no_strides": 37751,
    "arbitrary_padding_no_strides": 476750,
    "no_padding_strides": 44665,
    "padding_strides": 118422,
    "no_padding_no_strides_transposed": 164355,
    "arbitrary_padding_no_strides_transposed": 323062,
    "no_padding_strides_transposed": 197717,
    "padding_strides_transposed": 272498,
}
SHAPES = {
    "conv -i 4 -k 3": Conv(4, 3),
    "conv -i 5 -k 3 -p 1": Conv(5, 3, padding=1),
    "conv -i 6 -k 3 -s 2 -p 1": Conv(6, 3, stride=2, padding=1),
    "conv -i 9, -k 3 -p 1": Conv((9,), 3, padding=1),
    "conv -i 3,7 -k 2,3": Conv((3, 7), (2, 3)),
    "conv -i 7 -k 3 -d 2": Conv(7, 3, dilation=2),
    "conv -i 12 -k 3": Conv(12, 3),
    "conv-transpose -i 2 -k 3 -s 2": ConvTranspose(2, 3, stride=2),
    "conv-transpose -i 3 -k 3 -s 2 -p 1": ConvTranspose(3, 3, stride=2, padding=1),
    "conv-transpose -i 4 -k 3": ConvTranspose(4, 3),
}


def naive(path: Path) -> None:
    """What a user of matplotlib would write: every patch drawn anew in every frame, saved by PillowWriter."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.animation import FuncAnimation, PillowWriter
    from matplotlib.patches import Polygon

    n, k, stride = 2, 3, 2
    pad, inner = k - 1, stride * (n - 1) + 1
    side, out = inner + 2 * pad, inner + 2 * pad - k + 1
    figure, axes = plt.subplots(figsize=(395 / 150, 449 / 150), dpi=150)

    def quad(x: float, y: float, w: float, h: float, up: float) -> list[tuple[float, float]]:
        corners = [(x, y), (x + w, y), (x + w, y + h), (x, y + h)]
        return [(a - 0.7 * b, 0.5 * a + 0.65 * b + up) for a, b in corners]

    def draw(t: int) -> None:
        axes.clear()
        axes.set_xlim(-6, 8)
        axes.set_ylim(-1, 15)
        axes.axis("off")
        row, column = divmod(t, out)
        wx, wy = column, side - k - row
        for x in range(side):
            for y in range(side):
                i, j = x - pad, y - pad
                data = 0 <= i < inner and 0 <= j < inner and i % stride == 0 and j % stride == 0
                axes.add_patch(Polygon(quad(x, y, 1, 1, 0), fc="#268bd2" if data else "none", ec="k", lw=0.8,
                                       ls="-" if data else "--"))  # fmt: skip
        for x in range(k):
            for y in range(k):
                axes.add_patch(Polygon(quad(wx + x, wy + y, 1, 1, 0), fc="#073642", ec="k", alpha=0.4))
        cell = quad(column, out - 1 - row, 1, 1, side + 1)
        for low, high in zip(quad(wx, wy, k, k, 0), cell, strict=True):
            axes.plot(*zip(low, high, strict=True), color="k", lw=0.4)
        for x in range(out):
            for y in range(out):
                axes.add_patch(Polygon(quad(x, y, 1, 1, side + 1), fc="#2aa198", ec="k", lw=0.8))
        axes.add_patch(Polygon(cell, fc="#073642", alpha=0.4))

    FuncAnimation(figure, draw, frames=out * out).save(path, writer=PillowWriter(fps=1))
    plt.close(figure)


def ours(what: Any = CASE, **looks: object) -> bytes:
    import convviz

    file = io.BytesIO()
    convviz.animate(what, **looks).write(file, ".gif")  # type: ignore[arg-type]
    return file.getvalue()


def seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def ratios(a: Callable[[], object], b: Callable[[], object], pairs: int = PAIRS) -> tuple[float, float, float]:
    """Median seconds of a and of b, and the median of a/b, pair by pair, after one run of each."""
    a(), b()
    taken = [(seconds(a), seconds(b)) for _ in range(pairs)]
    first, second = zip(*taken, strict=True)
    return statistics.median(first), statistics.median(second), statistics.median(x / y for x, y in taken)


def process(*words: str) -> Callable[[], object]:
    return lambda: subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    import convviz

    # As pip leaves an installed package; some environments write no bytecode of a checkout.
    compileall.compile_dir(Path(convviz.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "naive.gif"
        slow, fast, ratio = ratios(lambda: naive(path), ours, 3)
        print(f"{CASE}, 25 frames, parameters to file, imports aside:")
        print(f"  FuncAnimation + PillowWriter {slow:.2f} s, convviz {fast:.3f} s: {ratio:.0f} times faster")

        target = str(Path(folder) / "a.gif")
        render = process("-m", "convviz", "render", CASE, "-o", target)
        imports = process("-c", "import numpy, PIL.Image; from matplotlib.backends.backend_agg import RendererAgg")
        whole, bare, ratio = ratios(render, imports, 11)
        print(f"whole process: render {whole:.2f} s, importing numpy, Pillow and RendererAgg {bare:.2f} s: {ratio:.2f}")

    print("time a frame of the other views, as a multiple of stack's:")
    for view in ("grid", "matrix"):
        for order in ("gather", "scatter"):
            found = [(against_stack(op, view, order), name) for name, op in SHAPES.items()]
            middle, (most, where) = statistics.median(ratio for ratio, _ in found), max(found)
            print(f"  {view:7} {order:8} {middle:.1f}, at most {most:.1f} ({where})")

    print("bytes against the guide's GIFs (theme reference):")
    mine = {name: len(ours(name, theme="reference")) for name in REFERENCE}
    for name, size in mine.items():
        print(f"  {name:40} {size:7} of {REFERENCE[name]:7}  {size / REFERENCE[name]:.2f}")
    print(f"  {'all eight':40} {sum(mine.values()):7} of {sum(REFERENCE.values()):7}  "
          f"{sum(mine.values()) / sum(REFERENCE.values()):.2f}")  # fmt: skip

    print("cost of a step (395 pixels wide), and peak memory of the process:")
    for n in (2, 5, 10, 16, 32):
        words = [sys.executable, __file__, "--steps", str(n)]
        steps, each, peak = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
        print(f"  {steps:>5} steps  {float(each):6.2f} ms a step  {float(peak):6.1f} MiB")

    few = convviz.animate(convviz.Conv(5, 3, padding=1), width=395)
    many = convviz.animate(convviz.Conv(32, 3, padding=1), width=395)
    *_, ratio = ratios(lambda: many.write(io.BytesIO(), ".gif"), lambda: few.write(io.BytesIO(), ".gif"), 3)
    print(f"a step of 1,024 costs {ratio * 25 / 1024:.2f} times a step of 25")


def against_stack(op: Any, view: str, order: str) -> float:
    """How many times as long as "stack" a view takes for the same steps."""
    *_, ratio = ratios(lambda: ours(op, view=view, order=order), lambda: ours(op, order=order), 5)
    return ratio


def one(n: int) -> None:
    """Print steps, milliseconds a step and peak memory of one picture of n x n steps."""
    import convviz

    picture = convviz.animate(convviz.Conv(n, 3, padding=1), width=395)
    picture.write(io.BytesIO(), ".gif")
    taken = seconds(lambda: picture.write(io.BytesIO(), ".gif"))
    print(len(picture), 1000 * taken / len(picture), peak())


def peak() -> float:
    """Peak memory of this process in MiB (Linux): not getrusage, whose figure a child inherits from its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    if "--steps" in sys.argv:
        one(int(sys.argv[-1]))
    else:
        main()
