"""What a step computes, in labels: the numbers of its cells and the sum written out under the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convviz.ops import Conv, ConvTranspose
from convviz.scene import Line, Shape, Text, text_width
from convviz.theme import Theme
from convviz.trace import Trace
from convviz.views._flat import Label, formatter, muted, symbol

SIZE = 8.5
LEADING = 15.0
MOST_LINES = 4
"""Rows of a kernel that are written out a line each."""
FEWEST_TERMS = 3
"""The first term, dots and the last one."""
DOTS = Label("…")


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
            texts += part.texts(x, y, size, fill, "start", role=role)
            x += part.width(size)
        return texts


class Figures:
    """The labels of a trace's cells: numbers, or symbols with subscripts."""

    def __init__(self, trace: Trace, symbols: bool) -> None:
        self.trace, self.symbols = trace, symbols
        self.gather = trace.order == "gather"
        self.weighted = self.weights_of(trace)
        self._x, self._output = trace.x.reshape(-1), trace.output.reshape(-1)
        self._weight = trace.weight.reshape(-1) if self.weighted else np.ones(0)
        self._write_x = formatter(self._x)
        self._write_weight = formatter(self._weight)
        totals = self._output if self.gather else np.append(self.totals[trace.writes >= 0], self._output)
        self._write_y = formatter(totals)
        self.bias: Any = 0 if trace.bias is None else trace.bias.reshape(-1)[0]
        self._write_bias = formatter(self.bias)

    def source(self, index: int) -> Label:
        """The cell of the input with that flat index; a zero where it is negative."""
        if self.symbols and index >= 0:
            return symbol("x", _position(index, self.trace.op.input_size))
        return Label(self._write_x(self._x[index]) if index >= 0 else "0")

    def weight(self, tap: int) -> Label:
        if self.symbols:
            return symbol("w", _position(tap, self.trace.op.kernel_size))
        return Label(self._write_weight(self._weight[tap]))

    def target(self, index: int, value: Any = None) -> Label:
        """The cell of the output with that flat index, holding its result or another ``value``."""
        if self.symbols:
            return symbol("y", _position(index, self.trace.op.output_size))
        return Label(self._write_y(self._output[index] if value is None else value))

    def product(self, value: Any) -> Label:
        """What a stamp adds to a cell, with its sign."""
        text = self._write_y(value)
        return Label(text if text.startswith("−") else f"+{text}")

    def sources(self) -> list[Label]:
        return [self.source(n) for n in range(-1, self._x.size)]

    def weights(self) -> list[Label]:
        return [self.weight(n) for n in range(self._weight.size)]

    def targets(self) -> list[Label]:
        """Every label that a cell of the output can have."""
        if self.symbols or self.gather:
            return [self.target(n) for n in range(self._output.size)]
        return [self.target(0, value) for value in (self.bias, *np.unique(self.totals[self.trace.writes >= 0]))]

    def corners(self) -> list[Label]:
        """Every label that the corner of a cell can have."""
        if self.gather or self.symbols:
            return self.weights()
        return [self.product(value) for value in np.unique(np.multiply.outer(self._x, self._weight))]

    @staticmethod
    def weights_of(trace: Trace) -> bool:
        """Whether the operation has a kernel with weights."""
        return isinstance(trace.op, Conv | ConvTranspose)

    @cached_property
    def totals(self) -> NDArray[Any]:
        """(T, K) scatter order: what each cell holds after a step has stamped it; 0 where there is none."""
        trace = self.trace
        reads, writes = trace.reads, trace.writes
        products = self._x[np.maximum(reads, 0)] * self._weight[trace.taps]
        start = np.zeros(1, products.dtype) if trace.bias is None else trace.bias.reshape(-1)[:1]
        running = np.full(prod(trace.op.output_size), start[0], np.result_type(products, start))
        after = np.zeros(writes.shape, running.dtype)
        for t, (cells, added) in enumerate(zip(writes, products, strict=True)):
            hit = cells >= 0
            running[cells[hit]] += added[hit]
            after[t, hit] = running[cells[hit]]
        return after

    @cached_property
    def stamps(self) -> NDArray[np.int64]:
        """(T, K) scatter order: how many steps have stamped a cell by then, the step's own included."""
        writes = self.trace.writes
        count = np.zeros(prod(self.trace.op.output_size), np.int64)
        after = np.zeros(writes.shape, np.int64)
        for t, cells in enumerate(writes):
            hit = cells >= 0
            count[cells[hit]] += 1
            after[t, hit] = count[cells[hit]]
        return after

    # The sum of a step

    def before(self, t: int) -> Term:
        trace = self.trace
        size, letter = (trace.op.output_size, "y") if self.gather else (trace.op.input_size, "x")
        position = _position(t, size)
        name = symbol(letter, position) if self.symbols else Label(f"{letter}[{','.join(map(str, position))}]")
        if self.gather:
            return Term((name, Label(" = ")))
        value = "" if self.symbols else f" = {self._write_x(self._x[t])}"
        return Term((name, Label(f"{value} adds:  ")))

    @property
    def between(self) -> str:
        return " + " if self.gather else "     "

    def terms(self, t: int) -> list[Term]:
        """One for each tap of the window, in the window's order."""
        step = self.trace[t]
        if self.gather:
            links = zip(step.reads.tolist(), step.taps.tolist(), strict=True)
            return [Term(self._times(read, tap), read < 0) for read, tap in links]
        terms = []
        rows = zip(step.writes.tolist(), step.taps.tolist(), self.totals[t], step.products, strict=True)
        for write, tap, after, product in rows:
            if write < 0:
                terms.append(Term((Label("–"),), True))
            elif self.symbols:
                terms.append(Term((self.target(write), Label(" += "), *self._times(t, tap))))
            else:
                # Written as the total of before, so that one reads the addition as one would do it.
                old, new = self._write_y(after - product), self._write_y(after)
                times = self._times(t, tap)[0].text
                terms.append(Term((Label(f"{old} + {times} = {new}"),)))
        return terms

    def after(self, t: int) -> Term:
        """What follows the terms: the bias and the result."""
        if not self.gather:
            return Term(())
        bias = ""
        if self.trace.bias is not None:
            bias = " + b" if self.symbols else f" + {_bracketed(self._write_bias(self.bias))} (bias)"
        if self.symbols:
            return Term((Label(bias),))
        return Term((Label(f"{bias} {self._equals} {self.target(t).text}"),))

    @cached_property
    def _equals(self) -> str:
        """The sign before a result: whether all that is written is what it stands for."""
        pairs = ((self._x, self._write_x), (self._weight, self._write_weight), (self._output, self._write_y))
        exact = all(_exact(value, write) for array, write in pairs for value in np.unique(array))
        return "=" if exact else "≈"

    def _times(self, read: int, tap: int) -> tuple[Label, ...]:
        weight, source = self.weight(tap), self.source(read)
        if self.symbols:
            return (weight, source) if read >= 0 else (weight, Label("·0"))
        return (Label(f"{source.text}·{_bracketed(weight.text)}"),)

    @cached_property
    def widths(self) -> tuple[float, float, float]:
        """Greatest width of what comes before, of a term, and of what comes after, at a font size of 1."""
        steps = len(self.trace)
        before = max(self.before(t).width(1.0) for t in {0, steps - 1})
        if not self.symbols and not self.gather:
            before += max(Label(self._write_x(v)).width(1.0) for v in np.unique(self._x)) - text_width("0", 1.0) / 2
        sources = max(label.width(1.0) for label in self.sources())
        weights = max(label.width(1.0) for label in self.weights()) if self.weighted else 0.0
        targets = max(label.width(1.0) for label in self.targets())
        times = sources + weights + (0.0 if self.symbols else text_width("·()", 1.0))
        if self.gather:
            after = 0.0 if self.symbols else targets + text_width(" = ", 1.0)
            if self.trace.bias is not None:
                bias = " + b" if self.symbols else f" + ({self._write_bias(self.bias)}) (bias)"
                after += text_width(bias, 1.0)
            return before, times, after
        if self.symbols:
            return before, targets + times + text_width(" += ", 1.0), 0.0
        return before, 2 * targets + times + text_width(" +  = ", 1.0), 0.0


class Sum:
    """The sum of each step, under the picture: in one line, a line for each row of the kernel, or shortened."""

    def __init__(self, figures: Figures, theme: Theme, left: float, top: float, width: float) -> None:
        self.figures, self.theme = figures, theme
        before, term, after = (part * SIZE for part in figures.widths)
        kernel = (1, *figures.trace.op.kernel_size)[-2:]
        pitch = term + text_width(figures.between, SIZE)
        self.pitch, self.term = pitch, term
        room = max(int((width - before - after + pitch - term) / pitch), FEWEST_TERMS)
        taps = np.arange(prod(kernel))
        rows = taps.reshape(kernel) if len(taps) > room and kernel[0] <= MOST_LINES else taps[np.newaxis]
        self.lines = [_shortened(row.tolist(), room) for row in rows]
        longest = max(map(len, self.lines))
        block = before + longest * pitch - (pitch - term) + after
        self.indent = left + max((width - block) / 2, 0.0) + before
        self.first = top + LEADING / 2
        self.height = LEADING * len(self.lines)

    @staticmethod
    def least_width(figures: Figures) -> float:
        """Width without which even the shortest form does not fit."""
        before, term, after = (part * SIZE for part in figures.widths)
        taps = min(prod(figures.trace.op.kernel_size), FEWEST_TERMS)
        return before + taps * term + (taps - 1) * text_width(figures.between, SIZE) + after

    def fixed(self) -> list[Shape]:
        """What joins the terms."""
        shapes: list[Shape] = []
        sign = self.figures.between.strip()
        for n, line in enumerate(self.lines if sign else []):
            for slot in range(0 if n else 1, len(line)):  # a sign that a line would end with starts the next one
                x = self.indent + slot * self.pitch - (self.pitch - self.term) / 2
                shapes.append(Text(x, self._y(n), sign, SIZE, self.theme.text, "middle", role="sum-join"))
        return shapes

    def shapes(self, t: int) -> list[Shape]:
        """The sum of step ``t``."""
        figures, theme = self.figures, self.theme
        before, terms = figures.before(t), figures.terms(t)
        shapes: list[Shape] = []
        shapes += before.texts(self.indent - before.width(SIZE), self._y(0), SIZE, theme.text, "sum-start")
        faint = []
        for n, line in enumerate(self.lines):
            y = self._y(n)
            for slot, tap in enumerate(line):
                term = Term((DOTS,)) if tap is None else terms[tap]
                wide = term.width(SIZE)
                x = self.indent + slot * self.pitch + (self.term - wide) / 2
                color, role = (muted(theme), "sum-faint") if term.faint else (theme.text, "sum-term")
                shapes += term.texts(x, y, SIZE, color, "sum-dots" if tap is None else role)
                if term.faint:
                    faint.append([(x, y + 0.74 * SIZE), (x + wide, y + 0.74 * SIZE)])
        if faint:
            # Without its colour, too, it is seen that these terms add nothing.
            shapes.append(Line(np.array(faint), muted(theme), 0.5, (1.2, 1.2), role="sum-faint"))
        end = self.indent + (len(self.lines[-1]) - 1) * self.pitch + self.term
        shapes += figures.after(t).texts(end, self._y(len(self.lines) - 1), SIZE, theme.text, "sum-end")
        return shapes

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


def _position(index: int, size: tuple[int, ...]) -> tuple[int, ...]:
    position: list[int] = []
    for n in reversed(size):
        index, place = divmod(index, n)
        position.insert(0, place)
    return tuple(position)


def _bracketed(number: str) -> str:
    return f"({number})" if number.startswith("−") else number


def _exact(value: Any, write: Any) -> bool:
    text = write(value).replace("−", "-").replace("∞", "inf")
    return float(text) == float(value)
