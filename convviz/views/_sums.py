"""What a step computes, in labels: the numbers of its cells and the sum written out under the picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.describe import position
from convviz.ops import AveragePool, MaxPool, Operation
from convviz.scene import Line, Shape, Text, text_width
from convviz.theme import Theme
from convviz.trace import Trace
from convviz.views._flat import SIGNIFICANT, Label, formatter, muted, symbol
from convviz.views._planes import lift
from convviz.windows import BEYOND

SIZE = 8.5
LEADING = 15.0
MOST_LINES = 4
"""Rows of a kernel that are written out a line each."""
FEWEST_TERMS = 3
"""The first term, dots and the last one."""
DOTS = Label("…")
NOTHING = "–"
"""Stands for what is thrown away or does not count."""

Written = tuple[Any, Callable[[Any], str]]
"""A number and how it is written."""
Widths = tuple[float, float, float]
"""Greatest width of what comes before the terms, of a term, and of what comes after, at a font size of 1."""


@dataclass(frozen=True)
class Term:
    parts: tuple[Label, ...]
    faint: bool = False
    """Whether it counts for nothing: padding, inserted zeros, cropped cells."""

    def width(self, size: float) -> float:
        return sum(part.width(size) for part in self.parts)

    def texts(self, x: float, y: float, size: float, fill: str, role: str) -> list[Text]:
        """The parts side by side, from ``x`` on."""
        texts: list[Text] = []
        for part in self.parts:
            # Spaces at the ends are places, not characters: some formats would drop them.
            space = text_width(" ", size) * (len(part.text) - len(part.text.lstrip()))
            if part.text.strip():
                ink = Label(part.text.strip(), part.subscript)
                texts += ink.texts(x + space, y, size, fill, "start", role=role)
            x += part.width(size)
        return texts


class Figures:
    """The labels of a trace's cells: numbers, or symbols with subscripts."""

    def __init__(self, trace: Trace, symbols: bool, source: int = 0, target: int = 0) -> None:
        self.trace, self.symbols = trace, symbols
        self.gather = trace.order == "gather"
        self.greatest, self.average = isinstance(trace.op, MaxPool), isinstance(trace.op, AveragePool)
        self.weighted = trace.weight is not None
        """Whether there is a kernel with weights."""
        op = trace.op
        # What comes before a position where there are channels.
        self._at_x: tuple[int, ...] = (source,) if trace.channels else ()
        self._at_y: tuple[int, ...] = (target,) if trace.channels else ()
        self._at_w = (*self._at_y, *self._at_x)
        self.channel, self.reads_channels = target, group_of(op, target)
        self._x = trace.x.reshape(op.in_channels, -1)[source]
        self._noise = trace.rounding.reshape(op.out_channels, -1)[target]
        outputs = _above(trace.rounding, trace.output).reshape(op.out_channels, -1)
        self._output = outputs[target]
        self._weight = self._kernel(source) if self.weighted else np.ones(0)
        self._cells = trace.cells.reshape(-1)
        self._write_x = formatter(trace.x)
        self._write_weight = formatter(np.ones(0) if trace.weight is None else trace.weight)
        self.bias: Any = 0 if trace.bias is None else trace.bias.reshape(-1)[target]
        self._write_bias = formatter(self.bias)
        self._write_y = formatter(outputs, *([] if self.gather else [self.totals]))

    def _kernel(self, source: int) -> NDArray[Any]:
        """(K,) the weights from a channel of the input to this one of the output; zeros where no group holds both."""
        trace = self.trace
        inner = source - self.reads_channels.start
        linear = np.asarray(trace[0].weights).reshape(trace.op.out_channels, -1, len(trace.taps))
        weights: NDArray[Any] = np.zeros_like(linear[0, 0])
        if source in self.reads_channels:
            weights[trace.taps] = linear[self.channel, inner]
        return weights

    def source(self, index: int) -> Label:
        """The cell of the input with that flat index; what counts for one where it is negative."""
        if index < 0:
            uncounted = index == BEYOND or (isinstance(op := self.trace.op, AveragePool) and not op.count_include_pad)
            return Label("−∞" if self.greatest else NOTHING if uncounted else "0")
        if self.symbols:
            return symbol("x", (*self._at_x, *position(index, self.trace.op.input_size)))
        return Label(self._write_x(self._x[index]))

    def weight(self, tap: int) -> Label:
        if self.symbols:
            return symbol("w", (*self._at_w, *position(tap, self.trace.op.kernel_size)))
        return Label(self._write_weight(self._weight[tap]))

    def weight_sum(self, taps: Sequence[int]) -> Label:
        """Several weights that link the same two cells."""
        if self.symbols:
            return Label("Σw")
        return Label(self._write_weight(self._weight[list(taps)].sum()))

    def target(self, index: int, value: Any = None) -> Label:
        """The cell of the output with that flat index, holding its result or another ``value``."""
        if self.symbols:
            return symbol("y", (*self._at_y, *position(index, self.trace.op.output_size)))
        return Label(self._write_y(self._output[index] if value is None else value))

    def product(self, value: Any) -> Label:
        """What a stamp adds to a cell, with its sign."""
        text = self._write_y(value)
        return Label(text if text.startswith("−") else f"+{text}")

    def sources(self) -> list[Label]:
        """Every label that a cell of the input can have."""
        absent = np.unique(self.trace.canvas[self.trace.canvas < 0]).tolist() if self.gather else []
        return [self.source(n) for n in (*absent, *range(self._x.size))]

    def weights(self) -> list[Label]:
        return [self.weight(n) for n in range(self._weight.size)]

    def targets(self) -> list[Label]:
        """Every label that a cell of the output can have."""
        if self.symbols or self.gather:
            return [self.target(n) for n in range(self._output.size)]
        return [self.target(0, value) for value in (self.bias, *np.unique(self.totals))]

    def corners(self) -> list[Label]:
        """Every label that the corner of a cell can have."""
        if self.gather or (self.symbols and self.weighted):
            return self.weights()
        return [self.product(value) for value in np.unique(self._products)]

    @cached_property
    def _products(self) -> NDArray[Any]:
        """(T, K) scatter order: what a step adds to each cell under its stamp."""
        trace = self.trace
        x = trace.x.reshape(trace.op.in_channels, -1)[:, self._cells]
        if self.average:
            assert trace.divisors is not None
            shares: NDArray[Any] = x[self.channel][:, np.newaxis] / trace.divisors[np.maximum(trace.writes, 0)]
            return shares
        # Over all channels that this one is made from.
        each = np.array([np.multiply.outer(x[c], self._kernel(c)[trace.taps]) for c in self.reads_channels])
        total: NDArray[Any] = _above(_rounding(each), each.sum(axis=0))
        return total

    def added(self, t: int) -> list[Label]:
        """Scatter order: what step ``t`` adds to each cell under its stamp."""
        return [self.product(value) for value in self._products[t]]

    def winner(self, t: int) -> int | None:
        """Max pooling: which place of the window wins."""
        winner = self.trace[t].winner
        return None if winner is None else int(np.asarray(winner).reshape(-1)[self.channel])

    @cached_property
    def totals(self) -> NDArray[Any]:
        """(T, K) scatter order: what each cell holds after a step has stamped it; the bias where there is none."""
        products = self._products
        running = np.full(self._output.size, self.bias, np.result_type(products, np.asarray(self.bias)))
        after = np.full(products.shape, self.bias, running.dtype)
        for t, (cells, added) in enumerate(zip(self.trace.writes, products, strict=True)):
            hit = cells >= 0
            running[cells[hit]] += added[hit]
            after[t, hit] = _above(self._noise[cells[hit]], running[cells[hit]])
        return after

    @cached_property
    def kept(self) -> list[list[int]]:
        """Scatter order: of each step the kernel's rows of the taps whose cells of the output are kept."""
        rows = np.asarray(self.trace.taps) // self.shape[1]
        return [rows[writes >= 0].tolist() for writes in self.trace.writes]

    @cached_property
    def stamps(self) -> NDArray[np.int64]:
        """(T, K) scatter order: how many steps have stamped a cell by then, the step's own included."""
        writes = self.trace.writes
        count = np.zeros(self._output.size, np.int64)
        after = np.zeros(writes.shape, np.int64)
        for t, cells in enumerate(writes):
            hit = cells >= 0
            count[cells[hit]] += 1
            after[t, hit] = count[cells[hit]]
        return after

    # The sum of a step

    def before(self, t: int) -> Term:
        trace, cell = self.trace, int(self._cells[t])
        size, letter = (trace.op.output_size, "y") if self.gather else (trace.op.input_size, "x")
        several = not self.gather and len(self.reads_channels) > 1
        at: tuple[Any, ...] = self._at_y if self.gather else (":",) if several else self._at_x
        place = ",".join(map(str, (*at, *position(cell, size))))
        name = Label(letter, place) if self.symbols else Label(f"{letter}[{place}]")
        if self.gather:
            return Term((name, Label(" = max( " if self.greatest else " = ( " if self.average else " = ")))
        value = "" if self.symbols or several else f" = {self._write_x(self._x[cell])}"
        to = f" to y[{self.channel}]" if trace.op.out_channels > 1 else ""
        nothing = bool((trace.windows.reshape(len(trace), -1)[t] < 0).all())
        return Term((name, Label(f"{value} adds nothing{to}" if nothing else f"{value} adds{to}:  ")))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the terms, as the kernel has them."""
        return lift(self.trace.op.kernel_size)

    @property
    def between(self) -> str:
        return "     " if not self.gather else ",  " if self.greatest else " + "

    def terms(self, t: int) -> list[Term]:
        """One for each tap of the window, in the window's order; in scatter order for each cell that is kept."""
        trace, step, own = self.trace, self.trace[t], int(self._cells[t])
        if self.gather:
            links = zip(step.reads.tolist(), step.taps.tolist(), strict=True)
            return [Term(self._times(read, tap), read < 0) for read, tap in links]
        terms = []
        rows = zip(step.writes.tolist(), step.taps.tolist(), self.totals[t], self._products[t], strict=True)
        for write, tap, after, product in rows:
            if write < 0:
                continue
            times = self._times(own, tap, write)
            if self.symbols:
                plus = times
                if len(self.reads_channels) > 1:
                    tap_at, cell = position(tap, trace.op.kernel_size), position(own, trace.op.input_size)
                    plus = Label("Σ"), symbol("w", (*self._at_y, ":", *tap_at)), symbol("x", (":", *cell))
                terms.append(Term((self.target(write), Label(" += "), *plus)))
            else:
                # From the total of before to the total of after, as one would reckon it.
                noise = self._noise[write]
                written: list[Written] = [(_above(noise, after - product), self._write_y), (after, self._write_y)]
                old, new = (write(value) for value, write in written)
                if len(self.reads_channels) > 1:
                    written.append((product, self._write_y))
                    told = _bracketed(self._write_y(product))
                else:
                    told = times[0].text
                    written.append((self._x[own], self._write_x))
                    written += [(self._weight[tap], self._write_weight)] if self.weighted else []
                terms.append(Term((Label(f"{old} + {told} {self._equals(noise, *written)} {new}"),)))
        return terms

    def after(self, t: int) -> Term:
        """What follows the terms: the bias and the result."""
        if not self.gather:
            return Term(())
        bias = ""
        if self.trace.bias is not None:
            bias = " + b" if self.symbols else f" + {_bracketed(self._write_bias(self.bias))} (bias)"
        if self.greatest:
            bias = " )"
        if self.average:
            bias = f" ) / {self.trace[t].divisor}"
        if self.symbols:
            return Term((Label(bias),))
        written = [*self._added(t), (self.bias, self._write_bias), (self._output[t], self._write_y)]
        return Term((Label(f"{bias} {self._equals(self._noise[t], *written)} {self.target(t).text}"),))

    def _equals(self, noise: float, *written: Written) -> str:
        """The sign before a result: whether all that is written is what it stands for; sums have ``noise``."""
        return "=" if all(self._exact(noise, *each) for each in written) else "≈"

    def _exact(self, noise: float, value: Any, write: Callable[[Any], str]) -> bool:
        text = write(value).replace("−", "-").replace("∞", "inf")
        noise = noise if write is self._write_y else 0.0
        shown = float(text)
        return shown == value or bool(abs(shown - value) <= max(noise, abs(value) * 10.0**-SIGNIFICANT))

    def _added(self, t: int) -> list[Written]:
        """Gather order: what the terms of step ``t`` are made of."""
        step = self.trace[t]
        read: list[Written] = [(value, self._write_x) for value in self._x[step.reads[step.reads >= 0]]]
        return read + [(value, self._write_weight) for value in (self._weight[step.taps] if self.weighted else ())]

    def _times(self, read: int, tap: int, write: int = 0) -> tuple[Label, ...]:
        """What one link adds, in words; a pooling's links have no weight."""
        source = self.source(read)
        if not self.weighted:
            if self.gather:
                # A dash would be read as a minus.
                return (self._part(Label("0") if source.text == NOTHING else source),)
            assert self.trace.divisors is not None
            over = Label(f"/{self.trace.divisors[write]}")
            return (source, over) if self.symbols else (Label(_bracketed(source.text) + over.text),)
        weight = self.weight(tap)
        if self.symbols:
            return (weight, source) if read >= 0 else (weight, Label(f"·{source.text}"))
        return (Label(f"{_bracketed(source.text)}·{_bracketed(weight.text)}"),)

    def _part(self, label: Label) -> Label:
        """A label as it stands in a sum; between commas it needs no brackets."""
        return label if self.greatest else Label(_bracketed(label.text), label.subscript)

    @cached_property
    def widths(self) -> Widths:
        sources, weights, targets = (
            max((self._part(each).width(1.0) for each in labels), default=0.0)
            for labels in (self.sources(), self.weights(), self.targets())
        )
        steps = len(self.trace)
        # The position of the last cell is the longest, but for the widths of its digits, which are all the same.
        before = max(self.before(t).width(1.0) for t in {0, steps - 1, int(self._cells.argmax())})
        if not self.gather and not self.symbols:
            before += sources
        if not self.gather and (self.trace.windows.reshape(steps, -1) < 0).all(axis=1).any():
            before += max(text_width(" nothing", 1.0) - text_width(":  ", 1.0), 0.0)  # of a step that adds nothing
        times = sources + weights
        if self.weighted:
            times += text_width("·0" if self.symbols else "·", 1.0)
        elif not self.greatest:
            times += 0.0 if self.gather else text_width("/000", 1.0)
        if not self.gather:
            times += text_width("Σ", 1.0) if self.symbols else targets * (len(self.reads_channels) > 1)
            joins = text_width(" +=  " if self.symbols else " +  = ", 1.0)
            return before, times + joins + targets * (1 if self.symbols else 2), 0.0
        after = 0.0 if self.symbols else targets + text_width(" ≈ ", 1.0)
        if self.trace.bias is not None:
            after += text_width(" + b" if self.symbols else f" + ({self._write_bias(self.bias)}) (bias)", 1.0)
        if self.greatest:
            after += text_width(" )", 1.0)
        if self.average:
            after += text_width(f" ) / {prod(self.trace.op.kernel_size)}", 1.0)
        return before, times, after

    @cached_property
    def columns(self) -> list[float]:
        """Gather order: greatest width of each term at a font size of 1. A narrow weight makes a narrow one."""
        widest = max(self._part(label).width(1.0) for label in self.weights()) if self.weighted else 0.0
        own = [self._part(self.weight(tap)).width(1.0) if self.weighted else 0.0 for tap in self.trace.taps]
        return [self.widths[1] - widest + wide for wide in own]


class Channels(Figures):
    """The labels of one channel of the output, whose terms are what each channel of the input adds to it."""

    @property
    def shape(self) -> tuple[int, int]:
        return 1, len(self.reads_channels)

    def terms(self, t: int) -> list[Term]:
        return [self._term(t, channel) for channel in self.reads_channels]

    def _term(self, t: int, channel: int) -> Term:
        if self.symbols:
            return Term((symbol("w", (self.channel, channel)), Label("·"), symbol("x", (channel,))))
        return Term((Label(_bracketed(self._write_y(self.partial(t, channel)))),))

    def partial(self, t: int, channel: int) -> Any:
        """What ``channel`` of the input adds to the output at step ``t``."""
        step = self.trace[t]
        each = np.asarray(step.values)[channel] * self._kernel(channel)[step.taps]
        return _above(_rounding(each), each.sum())

    def _added(self, t: int) -> list[Written]:
        return [(self.partial(t, channel), self._write_y) for channel in self.reads_channels]

    @cached_property
    def widths(self) -> Widths:
        before, _, after = super().widths
        steps, channels = range(len(self.trace)), self.reads_channels
        terms = [self._term(t, channel).width(1.0) for t in steps for channel in channels]
        return before, max(terms), after

    @cached_property
    def columns(self) -> list[float]:
        return [self.widths[1]] * len(self.reads_channels)


class Sum:
    """The sum of each step, under the picture: in one line, a line for each row of the kernel, or shortened."""

    def __init__(
        self,
        figures: Figures,
        theme: Theme,
        left: float,
        top: float,
        width: float,
        most_lines: int = MOST_LINES,
        widths: Widths | None = None,
    ) -> None:
        self.figures, self.theme = figures, theme
        before, term, after = (part * SIZE for part in widths or figures.widths)
        kernel, self.between = figures.shape, text_width(figures.between, SIZE)
        pitch = term + self.between
        # A comma follows its term at once.
        self.part = 1.0 if figures.greatest else 0.5
        room = int((width - before - after + pitch - term) / pitch)
        self.headed = False
        """Whether what comes before the terms has a line of its own."""
        if figures.gather:
            taps = np.arange(prod(kernel))
            rows = taps.reshape(kernel) if len(taps) > room and kernel[0] <= most_lines else taps[np.newaxis]
            lines = [_shortened(row.tolist(), max(room, FEWEST_TERMS)) for row in rows]
            self.lines = [lines] * len(figures.trace)
            if figures.greatest and len(rows) == 1 and None in lines[0]:
                # One after the other, the terms of a step may need less than the widest ones of all steps.
                gaps = (len(taps) - 1) * text_width(figures.between, SIZE)
                for t in range(len(figures.trace)):
                    if sum(term.width(SIZE) for term in figures.terms(t)) + gaps <= width - before - after:
                        self.lines[t] = [_shortened(taps.tolist(), len(taps))]
        else:
            widest = max(kept.count(row) for kept in figures.kept for row in {0, *kept})
            alone = int((width + self.between) / pitch)
            if room < widest <= alone and most_lines > 1:
                self.headed, room, before = True, alone, 0.0
            by_row = widest <= room and most_lines > 1
            rows_of = figures.kept if by_row else [[0] * len(kept) for kept in figures.kept]
            self.lines = [_listed(kept, max(room, 1))[:most_lines] for kept in rows_of]
        longest = max(len(line) for lines in self.lines for line in lines)
        self.flows = figures.greatest and max(map(len, self.lines)) == 1
        """Whether the terms follow each other as in a sentence, not in columns."""
        self.columns = [term] * longest
        if figures.gather and widths is None:  # as wide as what stands there in any line
            slots = zip(*self.lines[0], strict=True)
            self.columns = [max(figures.columns[tap or 0] * SIZE for tap in taps) for taps in slots]
        block = before + sum(self.columns) + (longest - 1) * self.between + after
        self.indent = left + max((width - block) / 2, 0.0) + before
        self.starts = [self.indent + sum(self.columns[:n]) + n * self.between for n in range(longest)]
        self.first = top + LEADING * (0.5 + self.headed)
        self.height = LEADING * (max(map(len, self.lines)) + self.headed)

    @staticmethod
    def least_width(figures: Figures, widths: Widths | None = None) -> float:
        """Width without which even the shortest form does not fit."""
        before, term, after = (part * SIZE for part in widths or figures.widths)
        if not figures.gather:
            return before + term
        taps = min(prod(figures.shape), FEWEST_TERMS)
        return before + taps * term + (taps - 1) * text_width(figures.between, SIZE) + after

    def fixed(self) -> list[Shape]:
        """What joins the terms."""
        shapes: list[Shape] = []
        sign = self.figures.between.strip()
        comma = self.figures.greatest
        lines = self.lines[0]  # with a sign between the terms they are those of each step
        last = len(lines) - 1
        for n, line in enumerate(lines if sign and not self.flows else []):
            # A plus that a line would end with starts the next one; a comma stays.
            slots = range(1, len(line) + (n < last)) if comma else range(0 if n else 1, len(line))
            for slot in slots:
                end = self._end(slot)
                x = end if comma else end + (self.between - text_width(sign, SIZE)) / 2
                shapes.append(Text(x, self._y(n), sign, SIZE, self.theme.text, role="sum-join"))
        return shapes

    def shapes(self, t: int) -> list[Shape]:
        """The sum of step ``t``."""
        figures, theme = self.figures, self.theme
        before, terms, lines = figures.before(t), figures.terms(t), self.lines[t]
        shown = sum(map(len, lines))
        if not figures.gather and len(terms) > shown:
            terms = [*terms[: shown - 1], Term((DOTS,))]
        shapes: list[Shape] = []
        start, y = (self.indent, self._y(-1)) if self.headed else (self.indent - before.width(SIZE), self._y(0))
        shapes += before.texts(start, y, SIZE, theme.text, "sum-start")
        faint = []
        end = self._end(len(lines[-1]))
        for n, line in enumerate(lines):
            y = self._y(n)
            for slot, tap in enumerate(line):
                term = Term((DOTS,)) if tap is None else terms[tap]
                wide = term.width(SIZE)
                part = 0.0 if term.parts == (DOTS,) and not figures.gather else self.part
                x = self.starts[slot] + (self.columns[slot] - wide) * part
                if self.flows:
                    x = end + self.between if slot else self.indent
                    if slot:
                        shapes.append(Text(end, y, ",", SIZE, theme.text, role="sum-join"))
                    end = x + wide
                color, role = (muted(theme), "sum-faint") if term.faint else (theme.text, "sum-term")
                shapes += term.texts(x, y, SIZE, color, "sum-dots" if tap is None else role)
                if term.faint:
                    faint.append([(x, y + 0.74 * SIZE), (x + wide, y + 0.74 * SIZE)])
        shapes += figures.after(t).texts(end, self._y(len(lines) - 1), SIZE, theme.text, "sum-end")
        shapes.sort(key=lambda shape: isinstance(shape, Text) and shape.fill != theme.text)  # by colour: fewer strokes
        if faint:
            # Without its colour, too, it is seen that these terms add nothing.
            shapes.append(Line(np.array(faint), muted(theme), 0.5, (1.2, 1.2), role="sum-faint"))
        return shapes

    def _end(self, count: int) -> float:
        """Where that many terms end; of none, where a sign before the first one begins."""
        return self.starts[count - 1] + self.columns[count - 1] if count else self.indent - self.between

    def _y(self, line: int) -> float:
        return self.first + line * LEADING


def _shortened(taps: Sequence[int], room: int) -> list[int | None]:
    """``taps``, with None for those in the middle that there is no room for.

    >>> _shortened(range(9), 5)
    [0, 1, 2, None, 8]
    """
    if len(taps) <= room:
        return list(taps)
    return [*taps[: room - 2], None, taps[-1]]


def group_of(op: Operation, target: int) -> range:
    """The channels of the input that one channel of the output is made from."""
    each = op.in_channels // op.groups
    group = target // (op.out_channels // op.groups)
    return range(group * each, (group + 1) * each)


def _listed(rows: Sequence[int], room: int) -> list[list[int | None]]:
    """Terms by the rows that they are in, at most ``room`` in a line.

    >>> _listed([0, 0, 2], 3), _listed([0, 0, 0], 2)
    ([[0, 1], [2]], [[0, 1], [2]])
    """
    lines: list[list[int | None]] = []
    for n, row in enumerate(rows):
        if not n or row != rows[n - 1] or len(lines[-1]) == room:
            lines.append([])
        lines[-1].append(n)
    return lines or [[]]


def _rounding(terms: NDArray[Any]) -> Any:
    """How far the sums over the first axis of ``terms`` can be from their true values."""
    return len(terms) * np.finfo(float).eps * np.abs(terms).sum(axis=0) if terms.dtype.kind == "f" else 0


def _above(noise: Any, values: Any) -> Any:
    """``values``, an array or a number, and 0 for those that are nothing but noise."""
    return np.where(np.abs(values) > noise, values, np.zeros_like(values))[()]


def _bracketed(number: str) -> str:
    return f"({number})" if number.startswith("−") else number
