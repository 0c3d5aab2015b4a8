"""The operations: parameters, what they must satisfy, and the arithmetic of sizes.

Parameters have PyTorch's names and meaning, the words "same", "same_lower" and "full" have ONNX's. Sizes hold for
each axis on its own, so every formula here is for one axis.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from operator import index
from typing import Any, ClassVar, NoReturn

from convviz.errors import ConvvizError, shown

Sizes = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]

PADDING_WORDS = ("valid", "same", "same_lower", "full")
PADDING_MODES = ("zeros", "reflect", "replicate", "circular")
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Layout:
    """How a plane of cells is laid out on a canvas, and how the window walks over it.

    Both readings of an operation are of this form. Gather lays out the input and makes one step per output cell;
    scatter lays out the output and makes one step per input cell. A direct and a transposed convolution are each
    other's gather and scatter.
    """

    plane: Sizes
    """Cells of the plane that is laid out."""
    steps: Sizes
    """Places of the window along each axis."""
    padding: Pairs
    """Cells added (negative: cropped) before and after the plane along each axis."""
    spacing: Sizes
    """Distance between neighbouring cells of the plane: ``s`` inserts ``s - 1`` cells between them."""
    stride: Sizes
    """Distance between two places of the window."""
    turned: bool
    """Whether the window reads the kernel turned by 180 degrees."""
    padding_mode: str = "zeros"
    """Where the padding's values come from, see `Conv`."""
    beyond: Sizes | None = None
    """Cells at the end of each axis, after the padding, that windows of ceil_mode run over. None is none."""


class _Direct:
    """What a convolution and the poolings share: the window walks over the padded input by the stride."""

    input_size: Sizes
    kernel_size: Sizes
    stride: Sizes
    padding: Pairs
    dilation: Sizes
    padding_mode: str = "zeros"
    ceil_mode: bool = False

    @property
    def output_size(self) -> Sizes:
        """Cells of the output along each axis."""
        sizes = []
        for i, k, s, (begin, end), d in _axes(self, "input_size", "kernel_size", "stride", "padding", "dilation"):
            room = i + begin + end - d * (k - 1) - 1
            n = room // s + 1
            # The ceil counts one more window, but for one that would start after the input's last cell.
            if self.ceil_mode and room % s and n * s < i + begin:
                n += 1
            sizes.append(n)
        return tuple(sizes)

    @property
    def leftover(self) -> Sizes:
        """Cells at the end of each padded axis that no window visits; negative where ceil_mode runs past the end."""
        axes = _axes(self, "input_size", "kernel_size", "stride", "padding", "dilation", "output_size")
        return tuple(i + begin + end - d * (k - 1) - 1 - (n - 1) * s for i, k, s, (begin, end), d, n in axes)

    @property
    def padded_size(self) -> Sizes:
        """Cells of the padded input along each axis."""
        return tuple(i + begin + end for i, (begin, end) in _axes(self, "input_size", "padding"))

    @property
    def gather(self) -> Layout:
        """The input, padded; the window walks by the stride."""
        beyond = tuple(max(-cells, 0) for cells in self.leftover)
        padding = tuple((begin, end + more) for (begin, end), more in zip(self.padding, beyond, strict=True))
        ones = (1,) * len(self.input_size)
        size, mode = self.input_size, self.padding_mode
        return Layout(size, self.output_size, padding, ones, self.stride, False, padding_mode=mode, beyond=beyond)

    @property
    def scatter(self) -> Layout:
        """The output with its cells a stride apart; the turned window walks cell by cell.

        It makes one step per input cell; where the padding holds copies of the input, one per cell of the padded
        input, since the copies are stamped too.
        """
        copied = self.padding_mode != "zeros"
        steps = self.padded_size if copied else self.input_size
        padding = _transposed_padding(self, ((0, 0),) * len(steps) if copied else self.padding, self.leftover)
        return Layout(self.output_size, steps, padding, self.stride, (1,) * len(steps), turned=True)


@dataclass(frozen=True)
class Conv(_Direct):
    """A convolution (cross-correlation, as in every framework), over 1 or 2 axes.

    The size of the output along an axis is ``floor((i + p_begin + p_end - d*(k - 1) - 1) / s) + 1`` (Dumoulin &
    Visin, "A guide to convolution arithmetic for deep learning", relationship 15).

    Parameters
    ----------
    input_size, kernel_size
        Cells along each axis: an int for both axes of a 2-D operation, or a tuple whose length is the number of axes.
    stride, dilation
        Distance between two places of the window, and between two taps of the kernel; at least 1.
    padding
        Cells of padding: an int, an int for each axis, a (begin, end) pair for each axis, or a word. "valid" is none;
        "same" makes the output ``ceil(i / s)``, with an odd cell of padding at the end ("same_lower": at the
        beginning); "full" is ``d*(k - 1)`` on each side.
    in_channels, out_channels, groups
        As in PyTorch. Every channel is laid out alike.
    padding_mode
        What the padding holds: "zeros"; "reflect", the input mirrored at its border cells, so less padding than input;
        "replicate", the nearest border cell; "circular", the input from its other end, so at most as much padding
        as input.

    Raises
    ------
    ConvvizError
        Where a parameter is not of this form, or no output is left.

    Examples
    --------
    >>> Conv(input_size=5, kernel_size=3, stride=2, padding=1).output_size
    (3, 3)
    >>> Conv((5, 7), (3, 2), padding="same").padding
    ((1, 1), (0, 1))
    """

    input_size: Sizes
    kernel_size: Sizes
    stride: Sizes = 1  # type: ignore[assignment]  # __init__ makes it a tuple
    padding: Pairs = 0  # type: ignore[assignment]
    dilation: Sizes = 1  # type: ignore[assignment]
    in_channels: int = 1
    out_channels: int = 1
    groups: int = 1
    padding_mode: str = "zeros"

    name: ClassVar[str] = "conv"

    def __init__(
        self,
        input_size: int | Iterable[int],
        kernel_size: int | Iterable[int],
        stride: int | Iterable[int] = 1,
        padding: int | str | Iterable[int | tuple[int, int]] = 0,
        dilation: int | Iterable[int] = 1,
        *,
        in_channels: int = 1,
        out_channels: int = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
    ) -> None:
        _set_sizes(self, locals(), {"input_size": 1, "kernel_size": 1, "stride": 1, "dilation": 1})
        _set_channels(self, in_channels, out_channels, groups)
        _set_padding(self, padding, _same_padding)
        _set_padding_mode(self, padding_mode)
        _check_output(self)

    def transposed(self) -> ConvTranspose:
        """The operation that runs this one backwards, from its output's size to its input's.

        Raises `ConvvizError` where the padding holds copies: no transposed convolution adds those up.

        >>> Conv(6, 3, stride=2, padding=1).transposed().output_padding
        (1, 1)
        """
        if self.padding_mode != "zeros":
            raise ConvvizError(
                f'padding_mode is "{self.padding_mode}": there is a transposed convolution only with "zeros"'
            )
        return ConvTranspose(
            self.output_size,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.leftover,
            in_channels=self.out_channels,
            out_channels=self.in_channels,
            groups=self.groups,
        )


@dataclass(frozen=True)
class ConvTranspose:
    """A transposed convolution (also "fractionally strided", "deconvolution"), over 1 or 2 axes.

    The size of the output along an axis is ``s*(i - 1) + d*(k - 1) + 1 - p_begin - p_end + output_padding``. As a
    gather it is a stride-1 convolution with the kernel turned by 180 degrees over the input with ``s - 1`` zeros
    inserted between its cells and ``d*(k - 1) - p`` cells of padding (the guide, relationship 14).

    Parameters
    ----------
    input_size, kernel_size, stride, dilation, in_channels, out_channels, groups
        As for `Conv`.
    padding
        Cells cropped from the full output, in the forms of `Conv`. "same" makes the output ``i * s``, "full" crops
        ``d*(k - 1)``.
    output_padding
        Cells added to one side of the output, less than the stride or the dilation.

    Examples
    --------
    >>> ConvTranspose(input_size=3, kernel_size=3, stride=2, padding=1, output_padding=1).output_size
    (6, 6)
    """

    input_size: Sizes
    kernel_size: Sizes
    stride: Sizes = 1  # type: ignore[assignment]
    padding: Pairs = 0  # type: ignore[assignment]
    dilation: Sizes = 1  # type: ignore[assignment]
    output_padding: Sizes = 0  # type: ignore[assignment]
    in_channels: int = 1
    out_channels: int = 1
    groups: int = 1

    name: ClassVar[str] = "conv-transpose"
    padding_mode: ClassVar[str] = "zeros"

    def __init__(
        self,
        input_size: int | Iterable[int],
        kernel_size: int | Iterable[int],
        stride: int | Iterable[int] = 1,
        padding: int | str | Iterable[int | tuple[int, int]] = 0,
        dilation: int | Iterable[int] = 1,
        output_padding: int | Iterable[int] = 0,
        *,
        in_channels: int = 1,
        out_channels: int = 1,
        groups: int = 1,
    ) -> None:
        least = {"input_size": 1, "kernel_size": 1, "stride": 1, "dilation": 1, "output_padding": 0}
        _set_sizes(self, locals(), least)
        _set_channels(self, in_channels, out_channels, groups)
        for extra, s, d in _axes(self, "output_padding", "stride", "dilation"):
            if extra >= max(s, d):
                raise ConvvizError(
                    f"output_padding is {show(self.output_padding)}: it must be less than the stride ({s}) or the "
                    f"dilation ({d}), so at most {max(s, d) - 1}"
                )
        _set_padding(self, padding, _same_cropping)
        _check_output(self)

    @property
    def output_size(self) -> Sizes:
        """Cells of the output along each axis."""
        names = ("input_size", "kernel_size", "stride", "padding", "dilation", "output_padding")
        return tuple(
            s * (i - 1) + d * (k - 1) + 1 - begin - end + extra
            for i, k, s, (begin, end), d, extra in _axes(self, *names)
        )

    @property
    def gather(self) -> Layout:
        """The input with zeros inserted and padded; the turned window walks cell by cell."""
        padding = _transposed_padding(self, self.padding, self.output_padding)
        ones = (1,) * len(self.input_size)
        return Layout(self.input_size, self.output_size, padding, self.stride, ones, turned=True)

    @property
    def scatter(self) -> Layout:
        """The output with the cells that the padding crops; the stamp walks by the stride."""
        ones = (1,) * len(self.input_size)
        return Layout(self.output_size, self.input_size, self.padding, ones, self.stride, turned=False)

    def transposed(self) -> Conv | None:
        """The direct convolution that this one runs backwards, or None where there is none.

        There is none where ``output_padding`` is not less than the stride: every convolution with these parameters
        has more outputs than this operation has inputs.
        """
        if any(extra >= s for extra, s in _axes(self, "output_padding", "stride")):
            return None
        return Conv(
            self.output_size,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            in_channels=self.out_channels,
            out_channels=self.in_channels,
            groups=self.groups,
        )


class _Pool(_Direct):
    """What the poolings share: each channel is pooled on its own, and there is no kernel."""

    name: ClassVar[str]
    channels: int

    @property
    def in_channels(self) -> int:
        return self.channels

    @property
    def out_channels(self) -> int:
        return self.channels

    @property
    def groups(self) -> int:
        return self.channels

    def transposed(self) -> NoReturn:
        """Raises `ConvvizError`: only a convolution has a transposed one."""
        raise ConvvizError(f"operation is {self.name}: only a convolution has a transposed one")

    def _set(self, given: dict[str, Any]) -> None:
        stride = given["kernel_size"] if given["stride"] is None else given["stride"]
        least = {"input_size": 1, "kernel_size": 1, "stride": 1, "dilation": 1}
        _set_sizes(self, {**given, "stride": stride}, least)
        object.__setattr__(self, "channels", _integer("channels", given["channels"], 1))
        object.__setattr__(self, "ceil_mode", _flag("ceil_mode", given["ceil_mode"]))
        _set_padding(self, given["padding"], _same_padding)
        for k, pair in _axes(self, "kernel_size", "padding"):
            if max(pair) > k // 2:
                raise ConvvizError(
                    f"padding is {show(self.padding)}: pooling takes at most half of the kernel_size ({k}), {k // 2}"
                )
        _check_output(self)


@dataclass(frozen=True)
class MaxPool(_Pool):
    """Max pooling over 1 or 2 axes: the greatest value under the window.

    The size of the output is that of `Conv`; with ``ceil_mode`` the floor is a ceil, but for a last window that would
    start after the input. The padding is minus infinity.

    Parameters
    ----------
    input_size, kernel_size, dilation
        As for `Conv`.
    stride
        As for `Conv`; None is the kernel's size.
    padding
        In the forms of `Conv`; at most half of the kernel on each side.
    ceil_mode
        Whether a last window may run past the end of the padded input.
    channels
        Channels of the input and of the output: each is pooled on its own.

    Examples
    --------
    >>> MaxPool(5, 2).output_size, MaxPool(5, 2, ceil_mode=True).output_size
    ((2, 2), (3, 3))
    """

    input_size: Sizes
    kernel_size: Sizes
    stride: Sizes = None  # type: ignore[assignment]
    padding: Pairs = 0  # type: ignore[assignment]
    dilation: Sizes = 1  # type: ignore[assignment]
    ceil_mode: bool = False
    channels: int = 1

    name: ClassVar[str] = "max-pool"

    def __init__(
        self,
        input_size: int | Iterable[int],
        kernel_size: int | Iterable[int],
        stride: int | Iterable[int] | None = None,
        padding: int | str | Iterable[int | tuple[int, int]] = 0,
        dilation: int | Iterable[int] = 1,
        ceil_mode: bool = False,
        *,
        channels: int = 1,
    ) -> None:
        self._set(locals())

    @property
    def scatter(self) -> NoReturn:
        """Raises `ConvvizError`: a maximum has no such order."""
        raise ConvvizError(
            'order is "scatter": a maximum is no sum of what each input cell stamps; max-pool has order "gather" only'
        )


@dataclass(frozen=True)
class AveragePool(_Pool):
    """Average pooling over 1 or 2 axes: the sum of the values under the window, divided by how many cells count.

    The size of the output is that of `MaxPool`. The padding is zero.

    Parameters
    ----------
    input_size, kernel_size, stride, padding, ceil_mode, channels
        As for `MaxPool`.
    count_include_pad
        Whether cells of padding count. Cells past the padding, under a window of ``ceil_mode``, never do.

    Examples
    --------
    >>> AveragePool(5, 3, stride=1, padding=1).output_size
    (5, 5)
    """

    input_size: Sizes
    kernel_size: Sizes
    stride: Sizes = None  # type: ignore[assignment]
    padding: Pairs = 0  # type: ignore[assignment]
    ceil_mode: bool = False
    count_include_pad: bool = True
    channels: int = 1

    name: ClassVar[str] = "average-pool"

    def __init__(
        self,
        input_size: int | Iterable[int],
        kernel_size: int | Iterable[int],
        stride: int | Iterable[int] | None = None,
        padding: int | str | Iterable[int | tuple[int, int]] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        *,
        channels: int = 1,
    ) -> None:
        object.__setattr__(self, "count_include_pad", _flag("count_include_pad", count_include_pad))
        self._set({**locals(), "dilation": 1})


Operation = Conv | ConvTranspose | MaxPool | AveragePool

# Name on the command line and in files -> class.
OPERATIONS: dict[str, type[Operation]] = {
    "conv": Conv,
    "conv-transpose": ConvTranspose,
    "max-pool": MaxPool,
    "average-pool": AveragePool,
}


def _axes(op: Operation | _Direct, *names: str) -> Iterable[tuple[Any, ...]]:
    """One tuple an axis, of the named parameters' values there."""
    return zip(*(getattr(op, name) for name in names), strict=True)


def _transposed_padding(op: Operation | _Direct, padding: Pairs, extra: Sizes) -> Pairs:
    """Padding of the gather picture of a transposed convolution: d*(k - 1) - p, and ``extra`` more at the end."""
    return tuple(
        (d * (k - 1) - begin, d * (k - 1) - end + more)
        for (begin, end), k, d, more in zip(padding, op.kernel_size, op.dilation, extra, strict=True)
    )


def _same_padding(op: _Direct, axis: int) -> tuple[int, int]:
    """Total padding that makes the output ceil(i / s): ONNX's SAME, TensorFlow's too."""
    i, k, s, d = op.input_size[axis], op.kernel_size[axis], op.stride[axis], op.dilation[axis]
    total = max((-(-i // s) - 1) * s + d * (k - 1) + 1 - i, 0)
    return total // 2, total - total // 2


def _same_cropping(op: ConvTranspose, axis: int) -> tuple[int, int]:
    """Total cropping that makes the output i * s; where the full output is shorter, output_padding fills it up."""
    k, s, d, extra = op.kernel_size[axis], op.stride[axis], op.dilation[axis], list(op.output_padding)
    total = d * (k - 1) + 1 - s + extra[axis]
    if total < 0:
        extra[axis] -= total
        object.__setattr__(op, "output_padding", tuple(extra))
        total = 0
    return total // 2, total - total // 2


def _set_sizes(op: Any, given: dict[str, Any], least: dict[str, int]) -> None:
    """Normalise and set the sizes that ``least`` names, each at least what it says there."""
    ndim = _number_of_axes({name: given[name] for name in (*least, "padding")})
    for name, smallest in least.items():
        object.__setattr__(op, name, _sizes(name, given[name], ndim, smallest))


def _set_channels(op: Any, in_channels: Any, out_channels: Any, groups: Any) -> None:
    for name, given in (("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)):
        object.__setattr__(op, name, _integer(name, given, 1))
    if op.in_channels % op.groups or op.out_channels % op.groups:
        raise ConvvizError(
            f"groups is {op.groups}: it must divide in_channels ({op.in_channels}) and out_channels ({op.out_channels})"
        )


def _set_padding_mode(op: Conv, mode: Any) -> None:
    if not (isinstance(mode, str) and mode in PADDING_MODES):
        raise ConvvizError(f"padding_mode is {shown(mode)}: give {', '.join(PADDING_MODES)}")
    for i, pair in _axes(op, "input_size", "padding"):
        most = {"reflect": i - 1, "circular": i}.get(mode, max(pair))
        if max(pair) > most:
            raise ConvvizError(
                f'padding is {show(op.padding)}: padding_mode "{mode}" takes at most {most} for an input of {i}'
            )
    object.__setattr__(op, "padding_mode", mode)


def _flag(name: str, value: Any) -> bool:
    try:
        known = value in (True, False)
    except ValueError:  # an array
        known = False
    if not known:
        raise ConvvizError(f"{name} is {shown(value)}: give True or False")
    return bool(value)


def _number_of_axes(given: dict[str, Any]) -> int:
    """As many as the tuples have entries; two where all are plain numbers."""
    lengths = {}
    for name, value in given.items():
        if _many(value):
            try:
                lengths[name] = len(value)
            except TypeError:
                raise ConvvizError(f"{name} is {shown(value)}: give an int or a tuple of ints") from None
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} has {n}" for name, n in lengths.items())
        raise ConvvizError(f"the parameters differ in their number of axes ({told}): give each one 1 or 2, or an int")
    for name, n in lengths.items():
        if n not in (1, 2):
            pairs = ", or a pair for each, begin and end" if name == "padding" else ""
            raise ConvvizError(f"{name} is {show(given[name])}: {n} axes cannot be drawn, give 1 or 2{pairs}")
    return next(iter(lengths.values()), 2)


def _sizes(name: str, value: Any, ndim: int, smallest: int) -> Sizes:
    items = value if _many(value) else (value,) * ndim
    return tuple(_integer(name, item, smallest, value) for item in items)


def _integer(name: str, item: Any, smallest: int, whole: Any = None) -> int:
    whole = item if whole is None else whole
    try:
        number = index(item)
    except TypeError:
        raise _refused(name, whole, f"give whole numbers of at least {smallest}") from None
    if isinstance(item, bool) or number < smallest:
        raise _refused(name, whole, f"it must be at least {smallest}")
    if number > LARGEST:
        raise _refused(name, whole, f"it must be at most {LARGEST}")
    return number


def _refused(name: str, value: Any, why: str) -> ConvvizError:
    said = shown(value) if isinstance(value, str | bool) else show(value)
    return ConvvizError(f"{name} is {said}: {why}")


def _set_padding(op: Any, value: Any, same: Any) -> None:
    ndim = len(op.input_size)
    if isinstance(value, str):
        full = tuple((d * (k - 1),) * 2 for k, d in zip(op.kernel_size, op.dilation, strict=True))
        if value == "valid":
            pairs: Pairs = ((0, 0),) * ndim
        elif value == "full":
            pairs = full
        elif value == "same":
            pairs = tuple(same(op, axis) for axis in range(ndim))
        elif value == "same_lower":
            pairs = tuple(same(op, axis)[::-1] for axis in range(ndim))
        else:
            words = ", ".join(f'"{word}"' for word in PADDING_WORDS)
            raise ConvvizError(f'padding is "{value}": give a number, a (begin, end) pair for each axis, or {words}')
    else:
        items = list(value) if _many(value) else [value] * ndim
        pairs = tuple(_pair(item, value) for item in items)
    object.__setattr__(op, "padding", pairs)


def _pair(item: Any, whole: Any) -> tuple[int, int]:
    if _many(item):
        ends = [_integer("padding", end, 0, whole) for end in islice(item, 3)]
        if len(ends) != 2:
            raise ConvvizError(f"padding is {show(whole)}: a pair has two numbers, (begin, end)")
        return ends[0], ends[1]
    both = _integer("padding", item, 0, whole)
    return both, both


def _check_output(op: Operation | _Direct) -> None:
    for axis, size in enumerate(op.output_size):
        if size > LARGEST:
            raise ConvvizError(
                f"output_size would be {show(op.output_size)}: at most {LARGEST}; give smaller parameters"
            )
        if size >= 1:
            continue
        i, k, d, (begin, end) = op.input_size[axis], op.kernel_size[axis], op.dilation[axis], op.padding[axis]
        span = d * (k - 1) + 1
        if not isinstance(op, ConvTranspose):
            spans = f"kernel_size is {show(op.kernel_size)}"
            if d > 1:
                spans += f" with dilation {show(op.dilation)}, spanning {span} cells"
            raise ConvvizError(
                f"{spans}: larger than the padded input ({i} + {begin} + {end} = {i + begin + end} cells); a kernel "
                f"spanning at most {i + begin + end}, or {span - i - begin - end} more padding would fit"
            )
        full = size + begin + end
        raise ConvvizError(
            f"padding is {show(op.padding)}: it crops all {full} cells of the full output and leaves none; use a "
            f"total of at most {full - 1} along an axis"
        )


def show(value: Any) -> str:
    """A parameter's value as a user would type it.

    >>> show((5, 5)), show(((0, 1), (0, 1))), show("reflect"), show(True)
    ('5', '0:1', 'reflect', 'true')
    """
    if isinstance(value, str | bool):
        return str(value).lower()
    if _many(value):
        items = [_show_item(item) for item in islice(value, _MOST_SHOWN)]
        return items[0] if len(items) == 2 and items[0] == items[1] else ",".join(items)
    return _plain(value)


def _show_item(item: Any) -> str:
    if _many(item):
        ends = [_plain(end) for end in islice(item, _MOST_SHOWN)]
        return ends[0] if len(set(ends)) == 1 else ":".join(ends)
    return _plain(item)


_MOST_SHOWN = 20


def _plain(value: Any) -> str:
    try:
        return str(value)
    except ValueError:  # Python writes out no more than 4300 digits
        return "a number of thousands of digits"


def _many(value: Any) -> bool:
    """Whether ``value`` is a sequence of numbers rather than one; an array without axes is one."""
    return isinstance(value, Iterable) and not isinstance(value, str) and getattr(value, "ndim", 1) > 0
