"""An operation in words: titles, captions, alt text, and the arithmetic that `convviz describe` prints."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from math import gcd, prod
from typing import Any

import numpy as np

from convviz.layers import pytorch
from convviz.ops import AveragePool, Conv, ConvTranspose, MaxPool, Operation, Pairs
from convviz.spec import command, show_parameters
from convviz.trace import Indices, Trace
from convviz.windows import canvas

NAMES = {
    "conv": "convolution",
    "conv-transpose": "transposed convolution",
    "max-pool": "max pooling",
    "average-pool": "average pooling",
}
MOST_STEPS, MOST_CHANNELS = 100, 6
"""Beyond these a picture is large: a smaller one shows the same."""


def times(sizes: tuple[int, ...]) -> str:
    """
    >>> times((3, 4)), times((7,))
    ('3×4', '7')
    """
    return "×".join(map(str, sizes))


def a(sizes: tuple[int, ...]) -> str:
    """Sizes before a noun, with the article as it is spoken.

    >>> a((3, 4)), a((8, 8)), a((11,))
    ('a 3×4', 'an 8×8', 'an 11-cell')
    """
    first = str(sizes[0])
    vowel = first[0] == "8" or (len(first) % 3 == 2 and first[:2] in ("11", "18"))
    return f"{'an' if vowel else 'a'} {times(sizes)}{'-cell' if len(sizes) == 1 else ''}"


def alike(values: tuple[Any, ...]) -> str:
    """One value where all are the same, else all of them.

    >>> alike((2, 2)), alike((1, 2)), alike(((1, 1), (0, 1)))
    ('2', '1×2', '1×(0, 1)')
    """
    shown = [str(v[0]) if isinstance(v, tuple) and v[0] == v[1] else str(v) for v in values]
    return shown[0] if len(set(shown)) == 1 else "×".join(shown)


def plural(count: int, noun: str) -> str:
    """
    >>> plural(1, "step"), plural(2, "step")
    ('1 step', '2 steps')
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")


def title(op: Operation) -> str:
    """
    >>> title(ConvTranspose(3, 3, stride=2, padding=1))
    'Transposed convolution, 3×3 → 5×5'
    """
    return f"{NAMES[op.name].capitalize()}, {times(op.input_size)} → {times(op.output_size)}"


def parameters(op: Operation) -> str:
    """The parameters in one phrase.

    >>> parameters(Conv(5, 3, stride=2, padding="same_lower"))
    'kernel 3×3, stride 2, padding 1'
    >>> parameters(Conv(5, 3, padding=1, padding_mode="reflect")), parameters(MaxPool(5, 2, ceil_mode=True))
    ('kernel 3×3, stride 1, padding 1 (reflect)', 'kernel 2×2, stride 2, padding 0, ceil_mode')
    """
    mode = f" ({op.padding_mode})" if op.padding_mode != "zeros" else ""
    said = [f"kernel {times(op.kernel_size)}", f"stride {alike(op.stride)}", f"padding {alike(op.padding)}{mode}"]
    if any(d > 1 for d in op.dilation):
        said.append(f"dilation {alike(op.dilation)}")
    if isinstance(op, ConvTranspose) and any(op.output_padding):
        said.append(f"output_padding {alike(op.output_padding)}")
    if isinstance(op, MaxPool | AveragePool):
        if op.ceil_mode:
            said.append("ceil_mode")
        if isinstance(op, AveragePool) and not op.count_include_pad:
            said.append("padding not counted")
        if op.channels > 1:
            said.append(f"channels {op.channels}")
        return ", ".join(said)
    if op.in_channels > 1 or op.out_channels > 1:
        said.append(f"channels {op.in_channels}→{op.out_channels}")
    if op.groups > 1:
        said.append(f"groups {op.groups}")
    return ", ".join(said)


def alt_text(op: Operation, order: str = "gather", view: str = "stack", labels: str | None = None) -> str:
    """What a picture of the operation shows, for someone who does not see it.

    >>> print(alt_text(ConvTranspose(3, 3, stride=2, padding=1)))
    Animation of a transposed convolution (kernel 3×3, stride 2, padding 1): the window slides over a 3×3 input with \
1 zero inserted between its cells and 1 cell of padding around it, and fills a 5×5 output in 25 steps.
    """
    return alt_text_beside([(op, order, view)], labels)


def alt_text_beside(pictures: Sequence[tuple[Operation, str, str]], labels: str | None = None) -> str:
    """`alt_text` of pictures side by side, of each its operation, order and view.

    >>> op = Conv(4, 3)
    >>> print(alt_text_beside([(op, "gather", "stack"), (op, "gather", "grid")]))
    Animation of a convolution (kernel 3×3, stride 1, padding 0), 2 pictures side by side: the window slides over a \
4×4 input, and fills a 2×2 output in 4 steps, with the numbers in the cells and the sum of each step written out.
    """
    subjects = dict.fromkeys(_subject(op) for op, _, _ in pictures)
    told = [_seen(*picture, labels) for picture in pictures]
    # What one picture shows need not be said again of one that shows more.
    told = [said for said in dict.fromkeys(told) if not any(other.startswith(f"{said},") for other in told)]
    count = f", {len(pictures)} pictures side by side" if len(pictures) > 1 else ""
    return f"Animation of {' and '.join(subjects)}{count}: {'; '.join(told)}."


def _subject(op: Operation) -> str:
    article = "" if isinstance(op, MaxPool | AveragePool) else "a "
    return f"{article}{NAMES[op.name]} ({parameters(op)})"


def _seen(op: Operation, order: str, view: str, labels: str | None) -> str:
    """What a picture shows of the operation."""
    steps = plural(prod((op.gather if order == "gather" else op.scatter).steps), "step")
    if view == "matrix":
        return _seen_as_matrix(op, order, steps)
    said = f"{_slides(op) if order == 'gather' else _stamped(op)} in {steps}"
    if view == "grid":
        result = {"max-pool": "greatest value", "average-pool": "average"}.get(op.name, "sum")
        said += (
            f", with {'symbols' if labels == 'symbols' else 'the numbers'} in the cells and the {result} of each step"
        )
        said += " written out"
    return said


def _seen_as_matrix(op: Operation, order: str, steps: str) -> str:
    transposed = isinstance(op, ConvTranspose)
    outputs, inputs = prod(op.output_size), prod(op.input_size)
    size = times((inputs, outputs) if transposed else (outputs, inputs))
    line = "column" if transposed == (order == "gather") else "row"
    does = "gives one cell of y" if order == "gather" else "one cell of x is multiplied by"
    product = f"{a(op.input_size)} input x becomes {a(op.output_size)} output y = {'Cᵀ' if transposed else 'C'} x"
    return f"{product} in {steps}, each with the {line} of the {size} matrix C lit that {does}"


def _stamped(op: Operation) -> str:
    padded = f" with {_around(op.padding, op.padding_mode)}" if op.padding_mode != "zeros" else ""
    crops = isinstance(op, ConvTranspose) and any(map(any, op.padding))
    cropped = f", of which a border of {_cells(op.padding)} is cropped," if crops else ""
    return f"each cell of {a(op.input_size)} input{padded} {_stamps(op)} onto {a(op.output_size)} output{cropped}"


def _slides(op: Operation) -> str:
    laid = [f"the window slides over {a(op.input_size)} input"]
    layout = op.gather
    if any(s > 1 and n > 1 for s, n in zip(layout.spacing, op.input_size, strict=True)):
        zeros = tuple(s - 1 for s in layout.spacing)
        noun = "zero" if set(zeros) == {1} else "zeros"
        laid.append(f"with {alike(zeros)} {noun} inserted between its cells")
    padding = layout.padding if isinstance(op, ConvTranspose) else op.padding
    if any(map(any, padding)):
        laid.append(("and " if len(laid) > 1 else "with ") + _around(padding, op.padding_mode))
    slides = " ".join(laid)
    if layout.beyond and any(layout.beyond):
        slides += f", runs {_past(layout.beyond)}"
    does = {"max-pool": "its greatest value goes to", "average-pool": "its average goes to"}.get(op.name, "fills")
    return f"{slides}, and {does} {a(op.output_size)} output"


def _stamps(op: Operation) -> str:
    return "stamps its share" if isinstance(op, AveragePool) else "stamps the kernel"


def _past(beyond: tuple[int, ...]) -> str:
    return f"{alike(beyond)} {'cell' if set(beyond) == {1} else 'cells'} past the end"


def _around(padding: Pairs, mode: str) -> str:
    cropped = " (negative: cropped)" if min(min(pair) for pair in padding) < 0 else ""
    copied = "" if mode == "zeros" else f" ({mode})"
    return f"{_cells(padding)} of padding{cropped}{copied} around it"


def _cells(padding: Pairs) -> str:
    return alike(padding) + (" cell" if alike(padding) == "1" else " cells")


def step_text(traced: Trace, t: int) -> str:
    """
    >>> from convviz import trace
    >>> step_text(trace(Conv(4, 3)), 2)
    'step 3 of 4: output [1, 0]'
    """
    at = list(position(t, traced.steps))
    padded = "padded input" if traced.op.padding_mode != "zeros" else "input"
    what = f"output {at}" if traced.order == "gather" else f"{padded} {at} {_stamps(traced.op)}"
    return f"step {t + 1} of {len(traced)}: {what}"


def heading(traced: Trace, traces: Sequence[Trace]) -> str:
    """What tells a panel from the others: its operation or its order, where they differ."""
    words = []
    if any(other.op != traced.op for other in traces):
        words.append(title(traced.op))
    if any(other.order != traced.order for other in traces):
        words.append("gather: each output reads" if traced.order == "gather" else "scatter: each input stamps")
    return "; ".join(words)


def closing(traces: Sequence[Trace]) -> str:
    """Whether gather and scatter of each operation gave the same numbers, by comparing them."""
    half = len(traces) // 2
    pairs = [(one, np.abs(one.output - other.output)) for one, other in zip(traces[:half], traces[half:], strict=True)]
    if any((apart > one.rounding).any() for one, apart in pairs):
        return "gather and scatter differ"
    exact = not any(apart.any() for _, apart in pairs)
    return "gather and scatter give the same output" + ("" if exact else ", but for rounding")


def position(index: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Where the cell with that flat index lies: its row and column.

    >>> position(5, (2, 3))
    (1, 2)
    """
    places = []
    for n in reversed(sizes):
        index, place = divmod(index, n)
        places.append(place)
    return tuple(places[::-1])


def facts(op: Operation, draws: Callable[[Operation], bool] = lambda op: True) -> dict[str, Any]:
    """What there is to know of an operation's sizes, ready for JSON.

    ``draws`` says whether an operation is not too large for a picture.

    >>> facts(Conv(6, 3, stride=2, padding=1))["receptive_field"]
    [3, 3]
    """
    backwards = _backwards(op)
    told: dict[str, Any] = {
        "operation": op.name,
        "parameters": show_parameters(op),
        "input_size": list(op.input_size),
        "output_size": list(op.output_size),
        "formula": formula(op),
        "steps": {
            "gather": prod(op.gather.steps),
            "scatter": None if isinstance(op, MaxPool) else prod(op.scatter.steps),
        },
        "matrix": matrix(op),
        "receptive_field": list(receptive_field(op)),
        "overlap": overlap(op),
        "jump": [1 / s for s in op.stride] if isinstance(op, ConvTranspose) else list(op.stride),
        "pytorch": pytorch(op),
        **_commands(op, draws),
        "alt_text": alt_text(op),
    }
    if isinstance(op, ConvTranspose):
        told["as_convolution"] = {
            "inserted_zeros": [s - 1 for s in op.gather.spacing],
            "padding": [list(pair) for pair in op.gather.padding],
            "stride": list(op.gather.stride),
        }
        told["direct"] = backwards and _call(backwards)
    else:
        told["leftover"] = list(op.leftover)
        told["transposed"] = backwards and _call(backwards)
    return told


def report(op: Operation, draws: Callable[[Operation], bool] = lambda op: True) -> str:
    """The `facts`, for people.

    >>> print(report(Conv(6, 3, stride=2, padding=1)))
    Convolution, 6×6 → 3×3
    parameters       kernel 3×3, stride 2, padding 1
    output           floor((6 + 1 + 1 - 1*(3 - 1) - 1) / 2) + 1 = floor(2.5) + 1 = 3
    left over        1 row or column at the end of the padded input is not read
    matrix           9 × 36, 64 of its 324 entries not zero (19.8 %)
    receptive field  1*(3 - 1) + 1 = 3 cells, jump 2
    overlap          1 to 4 windows read a cell, uneven: kernel 3 is not a multiple of stride 2 (checkerboard in the \
gradient)
    backwards        conv-transpose -i 3 -k 3 -s 2 -p 1 --output-padding 1
    PyTorch          torch.nn.Conv2d(in_channels=1, out_channels=1, kernel_size=3, stride=2, padding=1)
    command          convviz render conv -i 6 -k 3 -s 2 -p 1 -o conv.gif
    alt text         Animation of a convolution (kernel 3×3, stride 2, padding 1): the window slides over a 6×6 input \
with 1 cell of padding around it, and fills a 3×3 output in 9 steps.
    """
    rows = [("parameters", parameters(op))]
    rows += [("output" if n == 0 else "", line) for n, line in enumerate(formula(op))]
    if isinstance(op, ConvTranspose):
        zeros = alike(tuple(s - 1 for s in op.gather.spacing))
        noun = "zero" if zeros == "1" else "zeros"
        laid = f"{zeros} {noun} inserted, padding p' = {alike(op.gather.padding)}"
        rows.append(("drawn as", f"stride-1 convolution, {laid}"))
    elif max(op.leftover) > 0:
        count = alike(tuple(max(cells, 0) for cells in op.leftover))
        s, are = ("", "is") if count == "1" else ("s", "are")
        plane = "padded input" if any(end for _, end in op.padding) else "input"
        rows.append(("left over", f"{count} row{s} or column{s} at the end of the {plane} {are} not read"))
    if not isinstance(op, ConvTranspose) and min(op.leftover) < 0:
        beyond = tuple(max(-cells, 0) for cells in op.leftover)
        rows.append(("ceil_mode", f"the last windows run {_past(beyond)}, where nothing counts"))
    rows.append(("matrix", _matrix_text(op)))
    rows.append(("receptive field", _receptive_text(op)))
    rows.append(("overlap", _overlap_text(op)))
    rows.append(("backwards", _backwards_text(op)))
    rows.append(("PyTorch", pytorch(op) or "no layer pads so"))
    commands = _commands(op, draws)
    rows += [(name, line) for name, line in commands.items() if line]
    if not any(commands.values()):
        rows.append(("command", "none: too large to be drawn"))
    rows.append(("alt text", alt_text(op)))
    wide = max(len(label) for label, _ in rows)
    return "\n".join([title(op), *(f"{label:{wide}}  {text}" for label, text in rows)])


def _commands(op: Operation, draws: Callable[[Operation], bool]) -> dict[str, str | None]:
    """What draws the operation, and what draws a small one in its place where it is large; None for what there is not.

    >>> _commands(Conv(64, 3, padding=1), lambda op: True)["smaller"]
    'convviz render conv -i 3 -k 3 -p 1 -o conv.gif'
    """
    drawn, small = draws(op), smaller(op)
    large = prod(op.gather.steps) > MOST_STEPS or max(op.in_channels, op.out_channels) > MOST_CHANNELS
    shown = {"command": op if drawn else None, "smaller": None}
    if small != op and (large or not drawn) and draws(small):
        shown["smaller"] = small
    return {name: f"convviz render {command(one)} -o {one.name}.gif" if one else None for name, one in shown.items()}


def smaller(op: Operation) -> Operation:
    """The same operation without channels, on an input as small as shows three steps along each axis.

    As many cells at the end stay unread.

    >>> smaller(ConvTranspose(16, 4, stride=2, padding=1, in_channels=64, out_channels=32)).input_size
    (3, 3)
    >>> smaller(Conv(224, 7, stride=2, padding=3)).input_size
    (6, 6)
    """
    sizes = []
    for i, s, out, pair in zip(op.input_size, op.stride, op.output_size, op.padding, strict=True):
        if isinstance(op, ConvTranspose):
            sizes.append(i - max(min(i - 3, (out - 3) // s), 0))
        else:
            least = {"reflect": max(pair) + 1, "circular": max(pair)}.get(op.padding_mode, 1)
            sizes.append(i - s * max(min(out - 3, (i - max(least, 1)) // s), 0))
    if isinstance(op, MaxPool | AveragePool):
        return replace(op, input_size=tuple(sizes), channels=1)
    return replace(op, input_size=tuple(sizes), in_channels=1, out_channels=1, groups=1)


def _backwards(op: Operation) -> Operation | None:
    if isinstance(op, MaxPool | AveragePool) or op.padding_mode != "zeros":
        return None
    return op.transposed()


def _backwards_text(op: Operation) -> str:
    other = _backwards(op)
    if isinstance(op, ConvTranspose):
        none = "of no convolution: output_padding is not less than the stride"
        return none if other is None else f"of {command(other)}"
    if other is not None:
        return command(other)
    if isinstance(op, Conv):
        return f"none: copied padding ({op.padding_mode}) has no transposed convolution"
    return "none: a pooling has no transposed convolution"


def matrix(op: Operation) -> dict[str, Any] | None:
    """Shape, nonzero entries and part of zeros of the matrix that computes the operation; None for a maximum.

    Weights are taken to be nonzero. Nothing is built: the links of each axis are counted, and their counts multiply.

    >>> matrix(Conv(4, 3))
    {'shape': [4, 16], 'nonzeros': 36, 'sparsity': 0.4375}
    """
    if isinstance(op, MaxPool):
        return None
    rows, columns = op.out_channels * prod(op.output_size), op.in_channels * prod(op.input_size)
    nonzeros = op.out_channels * (op.in_channels // op.groups) * prod(map(_links, [op] * len(op.stride), count()))
    return {"shape": [rows, columns], "nonzeros": nonzeros, "sparsity": 1 - nonzeros / (rows * columns)}


def _links(op: Operation, axis: int) -> int:
    """Pairs of an input and an output cell of one axis that some tap links."""
    k, s, d, (begin, end) = op.kernel_size[axis], op.stride[axis], op.dilation[axis], op.padding[axis]
    windowed, steps = op.input_size[axis], op.output_size[axis]
    if isinstance(op, ConvTranspose):
        windowed, steps = steps, windowed
    if op.padding_mode != "zeros":
        return _copied_links(windowed, steps, k, s, d, (begin, end), op.padding_mode)
    return _pairs_below(begin + windowed, steps, s, k, d) - _pairs_below(begin, steps, s, k, d)


def _copied_links(size: int, steps: int, k: int, s: int, d: int, padding: tuple[int, int], mode: str) -> int:
    """How many pairs of a step and an input cell some tap links, where several can reach a cell and its copies.

    A pair is counted at the first place of the canvas where a tap meets the cell: where step ``t`` has a tap on place
    ``p`` and none on the place before it, ``q``, that holds the same cell and that taps of the same step can reach.
    Those are the steps with ``t*s % d == p % d`` and ``max(p - k*d, q) < t*s <= p``.

    >>> _copied_links(4, steps=4, k=3, s=1, d=1, padding=(1, 1), mode="reflect")
    10
    """
    source = canvas((size,), (padding,), (1,), mode)
    order = np.argsort(source * d + np.arange(len(source)) % d, kind="stable")
    place, held = order, source[order]
    before = np.full(len(place), -1)
    again = (np.diff(held) == 0) & (np.diff(place) % d == 0)
    before[1:][again] = place[:-1][again]
    return int(_met(place, before, steps, k, s, d).sum())


def _met(place: Indices, before: Indices, steps: int, k: int, s: int, d: int) -> Indices:
    """How many steps have a tap on each ``place`` of a canvas, and begin after the place ``before`` it."""
    shared = gcd(s, d)
    first = place // shared * pow(s // shared, -1, d // shared) % (d // shared)  # the first step that has such a tap

    def until(last: Indices) -> Indices:
        """How many of the steps to ``last`` have one."""
        return np.maximum((np.minimum(last, steps - 1) - first) // (d // shared) + 1, 0)

    met: Indices = until(place // s) - until(np.maximum(place - k * d, before) // s)
    return np.where(place % shared == 0, met, 0)


def _pairs_below(limit: int, steps: int, s: int, k: int, d: int) -> int:
    """How many pairs of a step and a tap have ``step*s + tap*d < limit``, in the time of a greatest common divisor.

    >>> _pairs_below(5, steps=3, s=2, k=2, d=3)
    4
    """
    some = min(max(-(-limit // s), 0), steps)  # the steps that have any such tap, and those that have all of them
    every = min(max(-(-(limit - (k - 1) * d) // s), 0), steps)
    # The others have ceil((limit - step*s) / d), here from the last to the first: a sum of floors of n terms.
    n, a, b, m = some - every, s, limit - (some - 1) * s + d - 1, d
    total = every * k
    while n > 0:
        total += n * (n - 1) // 2 * (a // m) + n * (b // m)
        a, b = a % m, b % m
        # The rest counts points under a line; seen from the other axis there are fewer.
        top = a * n + b
        n, a, b, m = top // m, m, top % m, a
    return total


def _matrix_text(op: Operation) -> str:
    told = matrix(op)
    if told is None:
        return "none: a maximum is not linear"
    (rows, columns), nonzeros = told["shape"], told["nonzeros"]
    share = f"{100 * nonzeros / (rows * columns):.3g} %"
    which = ", the Cᵀ of its convolution's C" if isinstance(op, ConvTranspose) and _backwards(op) else ""
    return f"{rows} × {columns}{which}, {nonzeros} of its {rows * columns} entries not zero ({share})"


def receptive_field(op: Operation) -> tuple[int, ...]:
    """Input cells along each axis from the first to the last one that an output cell can depend on.

    ``d*(k - 1) + 1``. In a transposed convolution every ``s / gcd(s, d)``-th tap falls on a cell of the input, and
    those lie ``d / gcd(s, d)`` cells apart.

    >>> receptive_field(Conv(9, 3, dilation=2)), receptive_field(ConvTranspose(9, 3, stride=2))
    ((5, 5), (2, 2))
    """
    fields = []
    for k, s, d in zip(op.kernel_size, op.stride, op.dilation, strict=True):
        shared = gcd(s, d)
        taps = -(-k * shared // s) if isinstance(op, ConvTranspose) else k
        apart = d // shared if isinstance(op, ConvTranspose) else d
        fields.append((taps - 1) * apart + 1)
    return tuple(fields)


def _receptive_text(op: Operation) -> str:
    field = receptive_field(op)
    said = f"{alike(field)} {'cell' if set(field) == {1} else 'cells'}"
    if isinstance(op, ConvTranspose):
        jump = alike(tuple("1" if s == 1 else f"1/{s}" for s in op.stride))
        return f"at most {said}, jump {jump}"
    spans = [f"{d}*({k} - 1) + 1" for k, d in zip(op.kernel_size, op.dilation, strict=True)]
    return f"{' × '.join(dict.fromkeys(spans))} = {said}, jump {alike(op.stride)}"


def overlap(op: Operation) -> dict[str, Any]:
    """How many stamps a cell of a transposed convolution's output gets: the least, the most, and whether all are alike.

    For other operations, how many windows read a cell of the input, and so how often its gradient is added to. "even"
    says whether all cells that no border has a part in are reached equally often. Where they are not, the output
    (or the gradient) has a checkerboard: Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts",
    Distill, 2016. Channels are counted as one.

    >>> overlap(ConvTranspose(5, 3, stride=2, padding=1)), overlap(ConvTranspose(5, 4, stride=2))
    ({'minimum': 1, 'maximum': 4, 'even': False}, {'minimum': 1, 'maximum': 4, 'even': True})
    """
    counts = [_reached(op, axis) for axis in range(len(op.stride))]
    least, most = (prod(ends) for ends in zip(*counts, strict=True))
    return {"minimum": least, "maximum": most, "even": not any(_uneven(op))}


def _uneven(op: Operation) -> list[str]:
    """Why cells of an axis are not reached equally often; "" where they are.

    The taps reach the cells ``d*t mod s`` of every ``s``: all of them only if ``s`` and ``d`` have no factor in common,
    and then equally often if ``k`` is a multiple of ``s``.
    """
    reasons = []
    for k, s, d in zip(op.kernel_size, op.stride, op.dilation, strict=True):
        if gcd(s, d) > 1:
            reasons.append(f"stride {s} and dilation {d} share the factor {gcd(s, d)}")
        else:
            reasons.append(f"kernel {k} is not a multiple of stride {s}" if k % s else "")
    return reasons


def _reached(op: Operation, axis: int) -> tuple[int, int]:
    """The least and the most (step, tap) pairs of one axis that reach a cell under the windows."""
    k, s, d, (begin, end) = op.kernel_size[axis], op.stride[axis], op.dilation[axis], op.padding[axis]
    cells, steps = op.input_size[axis], op.output_size[axis]
    if op.padding_mode != "zeros":  # a cell is reached by way of its copies too
        source = canvas((cells,), ((begin, end),), (1,), op.padding_mode)
        met = _met(np.arange(len(source)), np.full(len(source), -1), steps, k, s, d)
        counts = np.zeros(cells, np.int64)
        np.add.at(counts, source, met)
        return int(counts.min()), int(counts.max())
    if isinstance(op, ConvTranspose):
        cells, steps = steps, cells
    # The pairs that reach one cell are apart from the next by so many steps and taps.
    step_apart, tap_apart = d // gcd(s, d), s // gcd(s, d)

    def beyond(n: int) -> int:
        """How many pairs there are that reach a cell after n others: such pairs are a smaller table's."""
        fewer_steps, fewer_taps = steps - n * step_apart, k - n * tap_apart
        if fewer_steps < 1 or fewer_taps < 1:
            return 0
        first = begin - n * step_apart * s
        below = (_pairs_below(first + end, fewer_steps, s, fewer_taps, d) for end in (0, cells))
        return -next(below) + next(below)

    # The n-th pair: some cell has one while there are any, each cell has one while there are as many as cells.
    numbers = range(min(-(-steps // step_apart), -(-k // tap_apart)))
    most = bisect_right(numbers, False, key=lambda n: beyond(n) == 0)
    least = bisect_right(numbers, False, key=lambda n: beyond(n) - beyond(n + 1) < cells)
    return least, most


def _overlap_text(op: Operation) -> str:
    told, reasons = overlap(op), _uneven(op)
    least, most = told["minimum"], told["maximum"]
    transposed = isinstance(op, ConvTranspose)
    count = str(most) if least == most else f"{least} to {most}"
    noun, verb = ("stamp", "") if transposed else ("window", " reads")
    said = f"{count} {noun}{verb} a cell" if count == "1" else f"{count} {noun}s{verb.removesuffix('s')} a cell"
    if told["even"]:
        return f"{said}, even" + ("" if least == most else " but for the borders")
    pattern = "checkerboard" if len(reasons) == 2 and all(reasons) else "stripes"
    where = "" if transposed else " in the gradient"
    why = "; ".join(dict.fromkeys(filter(None, reasons)))
    return f"{said}, {'on a larger input ' if least == most else ''}uneven: {why} ({pattern}{where})"


def formula(op: Operation) -> list[str]:
    """The output-size formula of each axis with the numbers put in; one line where the axes are alike.

    >>> formula(Conv(6, 3, stride=2, padding=1))
    ['floor((6 + 1 + 1 - 1*(3 - 1) - 1) / 2) + 1 = floor(2.5) + 1 = 3']
    >>> formula(ConvTranspose(3, 3, stride=2, padding=1, output_padding=1))
    ['2*(3 - 1) + 1*(3 - 1) + 1 - 1 - 1 + 1 = 6']
    >>> formula(MaxPool((4,), 1, stride=5, ceil_mode=True))
    ['ceil((4 + 0 + 0 - 1*(1 - 1) - 1) / 5) + 1 = ceil(0.6) + 1 = 2, less 1 that would start after the input = 1']
    """
    lines = []
    for axis, out in enumerate(op.output_size):
        i, k, s, d = op.input_size[axis], op.kernel_size[axis], op.stride[axis], op.dilation[axis]
        begin, end = op.padding[axis]
        if isinstance(op, ConvTranspose):
            extra = op.output_padding[axis]
            lines.append(f"{s}*({i} - 1) + {d}*({k} - 1) + 1 - {begin} - {end} + {extra} = {out}")
            continue
        room = i + begin + end - d * (k - 1) - 1
        rounded = "ceil" if op.ceil_mode else "floor"
        line = (
            f"{rounded}(({i} + {begin} + {end} - {d}*({k} - 1) - 1) / {s}) + 1 = {rounded}({_quotient(room, s)}) + 1 = "
        )
        ceiled = -(-room // s) + 1
        if op.ceil_mode and ceiled > out:
            line += f"{ceiled}, less 1 that would start after the input = "
        lines.append(f"{line}{out}")
    return lines[:1] if len(set(lines)) == 1 else lines


def _quotient(number: int, by: int) -> str:
    """``number / by`` cut off, never rounded: its floor and its ceil are those of what is printed.

    >>> _quotient(5, 2), _quotient(-5, 3), _quotient(9999997, 1000000), _quotient(10001, 5000)
    ('2.5', '-1.66', '9.99', '2.0002')
    """
    if number < 0:
        return "-" + _quotient(-number, by)
    whole, rest = divmod(number, by)
    digits = 2
    while rest and not rest * 10**digits // by:
        digits += 1
    return f"{whole}.{rest * 10**digits // by:0{digits}}".rstrip("0").rstrip(".")


def _call(op: Operation) -> dict[str, Any]:
    return {"operation": op.name, "parameters": show_parameters(op), "output_size": list(op.output_size)}
