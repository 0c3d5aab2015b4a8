"""An operation in words: titles, captions, alt text, and the arithmetic that `convviz describe` prints."""

from __future__ import annotations

from typing import Any

from convviz.ops import Conv, ConvTranspose, Operation, Pairs
from convviz.spec import command, show_parameters
from convviz.trace import Trace

NAMES = {
    "conv": "convolution",
    "conv-transpose": "transposed convolution",
    "max-pool": "max pooling",
    "average-pool": "average pooling",
}


def times(sizes: tuple[int, ...]) -> str:
    """
    >>> times((3, 4)), times((7,))
    ('3×4', '7')
    """
    return "×".join(map(str, sizes))


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
    """
    said = [f"kernel {times(op.kernel_size)}", f"stride {alike(op.stride)}", f"padding {alike(op.padding)}"]
    if any(d > 1 for d in op.dilation):
        said.append(f"dilation {alike(op.dilation)}")
    if isinstance(op, ConvTranspose) and any(op.output_padding):
        said.append(f"output_padding {alike(op.output_padding)}")
    if op.in_channels > 1 or op.out_channels > 1:
        said.append(f"channels {op.in_channels} → {op.out_channels}")
    if op.groups > 1:
        said.append(f"groups {op.groups}")
    return ", ".join(said)


def alt_text(op: Operation, order: str = "gather") -> str:
    """What a picture of the operation shows, for someone who does not see it.

    >>> print(alt_text(ConvTranspose(3, 3, stride=2, padding=1)))
    Animation of a transposed convolution (kernel 3×3, stride 2, padding 1): the window slides over a 3×3 input with \
1 zero inserted between its cells and 1 cell of padding around it, and fills a 5×5 output in 25 steps.
    """
    start = f"Animation of a {NAMES[op.name]} ({parameters(op)}): "
    steps = 1
    for n in op.output_size if order == "gather" else op.input_size:
        steps *= n
    if order == "scatter":
        cropped = f", of which {_around(op.padding, 'crop')}" if isinstance(op, ConvTranspose) else ""
        return start + (
            f"each cell of a {times(op.input_size)} input stamps the kernel onto a {times(op.output_size)} output"
            f"{cropped if any(map(any, op.padding)) else ''}, in {plural(steps, 'step')}."
        )
    laid = [f"the window slides over a {times(op.input_size)} input"]
    layout = op.gather
    if any(s > 1 for s in layout.spacing):
        zeros = tuple(s - 1 for s in layout.spacing)
        noun = "zero" if set(zeros) == {1} else "zeros"
        laid.append(f"with {alike(zeros)} {noun} inserted between its cells")
    if any(map(any, layout.padding)):
        laid.append(("and " if len(laid) > 1 else "with ") + _around(layout.padding, "pad"))
    return start + f"{' '.join(laid)}, and fills a {times(op.output_size)} output in {plural(steps, 'step')}."


def _around(padding: Pairs, verb: str) -> str:
    flat = [end for pair in padding for end in pair]
    if verb == "crop":
        return f"a border of {_cells(padding)} is cropped"
    if min(flat) < 0:
        return f"{_cells(padding)} of padding (negative: cropped) around it"
    return f"{_cells(padding)} of padding around it"


def _cells(padding: Pairs) -> str:
    return alike(padding) + (" cell" if alike(padding) == "1" else " cells")


def step_text(trace: Trace, t: int) -> str:
    """
    >>> from convviz import trace
    >>> step_text(trace(Conv(4, 3)), 2)
    'step 3 of 4: output [1, 0]'
    """
    at = trace_position(trace, t)
    what = f"output {at}" if trace.order == "gather" else f"input {at} stamps the kernel"
    return f"step {t + 1} of {len(trace)}: {what}"


def trace_position(trace: Trace, t: int) -> str:
    """Row and column of the cell that step ``t`` is about."""
    at = []
    for n in reversed(trace.steps):
        t, place = divmod(t, n)
        at.append(place)
    return str(at[::-1])


def facts(op: Operation) -> dict[str, Any]:
    """What there is to know of an operation's sizes, ready for JSON."""
    direct = op if isinstance(op, Conv) else op.transposed()
    other = op.transposed()
    told: dict[str, Any] = {
        "operation": op.name,
        "parameters": show_parameters(op),
        "input_size": list(op.input_size),
        "output_size": list(op.output_size),
        "formula": formula(op),
        "steps": {"gather": _product(op.output_size), "scatter": _product(op.input_size)},
        "pytorch": pytorch(op),
        "alt_text": alt_text(op),
    }
    if isinstance(op, ConvTranspose):
        told["as_convolution"] = {
            "inserted_zeros": [s - 1 for s in op.gather.spacing],
            "padding": [list(pair) for pair in op.gather.padding],
            "stride": list(op.gather.stride),
        }
        told["direct"] = None if direct is None else _call(direct)
    else:
        assert isinstance(other, ConvTranspose)
        told["leftover"] = list(op.leftover)
        told["transposed"] = _call(other)
    return told


def report(op: Operation) -> str:
    """The facts, for people.

    >>> print(report(Conv(6, 3, stride=2, padding=1)))
    Convolution, 6×6 → 3×3
    parameters  kernel 3×3, stride 2, padding 1
    output      floor((6 + 1 + 1 - 1*(3 - 1) - 1) / 2) + 1 = floor(2.5) + 1 = 3
    left over   1 row or column at the end is not read
    backwards   conv-transpose -i 3 -k 3 -s 2 -p 1 --output-padding 1
    PyTorch     torch.nn.Conv2d(in_channels=1, out_channels=1, kernel_size=3, stride=2, padding=1)
    command     convviz render conv -i 6 -k 3 -s 2 -p 1 -o conv.gif
    alt text    Animation of a convolution (kernel 3×3, stride 2, padding 1): the window slides over a 6×6 input with \
1 cell of padding around it, and fills a 3×3 output in 9 steps.
    """
    rows = [("parameters", parameters(op))]
    rows += [("output" if n == 0 else "", line) for n, line in enumerate(formula(op))]
    other = op.transposed()
    if isinstance(op, ConvTranspose):
        zeros = alike(tuple(s - 1 for s in op.gather.spacing))
        rows.append(
            ("drawn as", f"stride-1 convolution, {zeros} zeros inserted, padding p' = {alike(op.gather.padding)}")
        )
        if other is None:
            rows.append(("backwards", "of no convolution: output_padding is not less than the stride"))
        else:
            rows.append(("backwards", f"of {command(other)}"))
    else:
        if any(op.leftover):
            count = alike(op.leftover)
            rows.append(
                (
                    "left over",
                    f"{count} row{'s' if count != '1' else ''} or column{'s' if count != '1' else ''} "
                    f"at the end {'are' if count != '1' else 'is'} not read",
                )
            )
        rows.append(("backwards", command(op.transposed())))
    rows.append(("PyTorch", pytorch(op)))
    rows.append(("command", f"convviz render {command(op)} -o {op.name}.gif"))
    rows.append(("alt text", alt_text(op)))
    return "\n".join([title(op), *(f"{label:10}  {text}" for label, text in rows)])


def formula(op: Operation) -> list[str]:
    """The output-size formula of each axis with the numbers put in; one line where the axes are alike.

    >>> formula(Conv(6, 3, stride=2, padding=1))
    ['floor((6 + 1 + 1 - 1*(3 - 1) - 1) / 2) + 1 = floor(2.5) + 1 = 3']
    >>> formula(ConvTranspose(3, 3, stride=2, padding=1, output_padding=1))
    ['2*(3 - 1) + 1*(3 - 1) + 1 - 1 - 1 + 1 = 6']
    """
    lines = []
    for axis, out in enumerate(op.output_size):
        i, k, s, d = op.input_size[axis], op.kernel_size[axis], op.stride[axis], op.dilation[axis]
        begin, end = op.padding[axis]
        if not isinstance(op, ConvTranspose):
            inner = (i + begin + end - d * (k - 1) - 1) / s
            lines.append(f"floor(({i} + {begin} + {end} - {d}*({k} - 1) - 1) / {s}) + 1 = floor({inner:g}) + 1 = {out}")
        else:
            extra = op.output_padding[axis]
            lines.append(f"{s}*({i} - 1) + {d}*({k} - 1) + 1 - {begin} - {end} + {extra} = {out}")
    return lines[:1] if len(set(lines)) == 1 else lines


def pytorch(op: Operation) -> str:
    """The equivalent PyTorch layer, with keyword arguments.

    >>> pytorch(ConvTranspose(3, 3, stride=2, padding=1))
    'torch.nn.ConvTranspose2d(in_channels=1, out_channels=1, kernel_size=3, stride=2, padding=1)'
    >>> print(pytorch(Conv(4, 2, padding=((0, 1), (0, 1)))))
    torch.nn.Sequential(torch.nn.ZeroPad2d((0, 1, 0, 1)), torch.nn.Conv2d(in_channels=1, out_channels=1, \
kernel_size=2))
    """
    ndim = len(op.input_size)
    uneven = any(begin != end for begin, end in op.padding)
    keywords: dict[str, Any] = {
        "in_channels": op.in_channels,
        "out_channels": op.out_channels,
        "kernel_size": op.kernel_size,
        "stride": op.stride,
        "padding": (0,) * ndim if uneven else tuple(begin for begin, _ in op.padding),
        "output_padding": getattr(op, "output_padding", (0,) * ndim),
        "dilation": op.dilation,
        "groups": op.groups,
    }
    defaults = {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1, "groups": 1}
    said = []
    for name, value in keywords.items():
        if isinstance(value, tuple):
            value = value[0] if len(set(value)) == 1 else value
        if value != defaults.get(name):
            said.append(f"{name}={value}")
    layer = f"torch.nn.{type(op).__name__}{ndim}d({', '.join(said)})"
    if not uneven:
        return layer
    # PyTorch's layers pad alike on both sides; its padding layers (a negative one crops) take the last axis first.
    ends = tuple(end for pair in reversed(op.padding) for end in pair)
    if isinstance(op, Conv):
        return f"torch.nn.Sequential(torch.nn.ZeroPad{ndim}d({ends}), {layer})"
    return f"torch.nn.Sequential({layer}, torch.nn.ZeroPad{ndim}d({tuple(-end for end in ends)}))"


def _call(op: Operation) -> dict[str, Any]:
    return {"operation": op.name, "parameters": show_parameters(op), "output_size": list(op.output_size)}


def _product(sizes: tuple[int, ...]) -> int:
    total = 1
    for n in sizes:
        total *= n
    return total
