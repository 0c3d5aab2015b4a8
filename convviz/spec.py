"""Operations and cases as text: what the command line, documents and JSON hold.

A size is ``5`` or ``5,7`` (``7,`` is one axis), a padding also a pair ``0:1`` or a word, a flag ``true`` or ``false``.
`parse_operation` and `show_parameters` are each other's inverse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from convviz.cases import CASES, Case
from convviz.errors import ConvvizError, shown
from convviz.ops import OPERATIONS, PADDING_WORDS, Operation, show

SHORT = {"input_size": "-i", "kernel_size": "-k", "stride": "-s", "padding": "-p", "dilation": "-d"}
"""Options of the command line that have a letter."""

OTHER_NAMES = {"deconv": "conv-transpose", "deconvolution": "conv-transpose", "transposed": "conv-transpose"}
"""What others call an operation whose own name is not like it."""
_COUNTS = ("in_channels", "out_channels", "groups", "channels")


def parameter_names() -> list[str]:
    """The parameters of all operations, in their order."""
    return list(dict.fromkeys(field.name for op in OPERATIONS.values() for field in fields(op)))


def flag_names() -> list[str]:
    """The parameters that are true or false."""
    every = [field for op in OPERATIONS.values() for field in fields(op)]
    return list(dict.fromkeys(field.name for field in every if isinstance(field.default, bool)))


def parse_case(name: str, parameters: Mapping[str, str]) -> Case:
    """The case of that name, or the operation of that name as a case, with ``parameters`` as text put in.

    Raises `ConvvizError` for an unknown name or parameter, a value that cannot be read, or an operation that cannot
    be.

    >>> parse_case("padding_strides", {"input_size": "7,9"}).op.output_size
    (4, 5)
    """
    if name in CASES:
        case = CASES[name]
        return replace(case, op=parse_operation(case.op.name, {**show_parameters(case.op), **parameters}))
    if name not in OPERATIONS:
        raise unknown_name(name, [*OPERATIONS, *CASES])
    return Case(parse_operation(name, parameters))


def parse_operation(name: str, parameters: Mapping[str, str]) -> Operation:
    """The operation ``name`` with its parameters given as text.

    >>> parse_operation("conv", {"input_size": "5", "kernel_size": "3,2", "padding": "0:1"})
    Conv(input_size=(5, 5), kernel_size=(3, 2), stride=(1, 1), padding=((0, 1), (0, 1)), dilation=(1, 1), \
in_channels=1, out_channels=1, groups=1, padding_mode='zeros')
    """
    if name not in OPERATIONS:
        raise ConvvizError(f'operation is "{name}": {nearest(name, OPERATIONS)}')
    known = [field.name for field in fields(OPERATIONS[name])]
    for given in parameters:
        if given not in known:
            raise ConvvizError(f"{given} is {parameters[given]}: {name} has no {given}, only {', '.join(known)}")
    for needed in ("input_size", "kernel_size"):
        if needed not in parameters:
            raise ConvvizError(f"{needed} is not given: {name} needs it, such as 5 or 5,7")
    values = {key: _value(key, text) for key, text in parameters.items()}
    axes = next((len(v) for v in values.values() if isinstance(v, tuple)), 2)
    for key, value in values.items():
        if isinstance(value, list):  # one pair for every axis
            values[key] = tuple(value * axes)
    return OPERATIONS[name](**values)


def show_parameters(op: Operation) -> dict[str, str]:
    """The parameters that differ from their defaults, as text.

    >>> from convviz.ops import Conv
    >>> show_parameters(Conv(5, 3, stride=(2, 1)))
    {'input_size': '5', 'kernel_size': '3', 'stride': '2,1'}
    """
    shown = {}
    for field in fields(op):
        value = getattr(op, field.name)
        text = show(value)
        default = op.kernel_size if field.default is None else field.default  # a pooling's stride
        if isinstance(value, tuple) and len(value) == 1 and field.name == "input_size":
            text += ","  # says that there is one axis
        if text != show(default):
            shown[field.name] = text
    return shown


def command(what: Operation | Case) -> str:
    """The operation or the case as the words that follow ``convviz render``.

    >>> command(parse_operation("conv", {"input_size": "5", "kernel_size": "3", "stride": "2"}))
    'conv -i 5 -k 3 -s 2'
    >>> command(parse_operation("average-pool", {"input_size": "5", "kernel_size": "3", "count_include_pad": "false"}))
    'average-pool -i 5 -k 3 --no-count-include-pad'
    >>> command(CASES["stamping"])
    'conv-transpose -i 3 -k 3 -s 2 -p 1 --view grid --order scatter'
    """
    case = what if isinstance(what, Case) else Case(what)
    op = case.op
    words = [op.name]
    for name, text in show_parameters(op).items():
        option = name.replace("_", "-")
        if name in flag_names():
            words.append(f"--{option}" if text == "true" else f"--no-{option}")
        else:
            words += [SHORT.get(name, f"--{option}"), text]
    for option, word, default in (("--view", case.view, Case.view), ("--order", case.order, Case.order)):
        words += [option, word] if word != default else []
    words += ["--with-transposed"] if case.with_transposed else []
    return " ".join(words)


def known(name: str, given: object, names: Iterable[str]) -> None:
    """Raise `ConvvizError` where the parameter ``name`` is none of ``names``."""
    if not (isinstance(given, str) and given in names):
        raise ConvvizError(f"{name} is {shown(given)}: {nearest(given, names)}")


def unknown_name(given: str, names: Iterable[str]) -> ConvvizError:
    """The error for a name that is no case or operation: there are too many to list them."""
    close = nearest_of(given, names)
    advice = f'did you mean "{close}"? See' if close else "give one that is listed by"
    return ConvvizError(f"name is {shown(given)}: {advice} `convviz list`")


def nearest(given: object, known: Iterable[str]) -> str:
    """Advice for a misspelt name."""
    names = list(known)
    close = nearest_of(given, names)
    return f'did you mean "{close}"?' if close else f"known are {', '.join(names)}"


def nearest_of(given: object, known: Iterable[str]) -> str | None:
    """The one that ``given`` is meant to be, if any is like it.

    >>> nearest_of("stirde", ["size", "stride"]), nearest_of("deconv", OPERATIONS), nearest_of("xyz", OPERATIONS)
    ('stride', 'conv-transpose', None)
    """
    import difflib  # seldom needed, and slow to load

    names, word = list(known), given[:100] if isinstance(given, str) else ""
    if OTHER_NAMES.get(word.lower()) in names:
        return OTHER_NAMES[word.lower()]
    return next(iter(difflib.get_close_matches(word, names, n=1, cutoff=0.5)), None)


def _value(name: str, text: str) -> Any:
    """int; tuple of ints or pairs; [pair] for one pair that holds for every axis; a word; or a bool."""
    text = text.strip()
    if name == "padding_mode" or (name == "padding" and text in PADDING_WORDS):
        return text
    if name in flag_names():
        if text not in ("true", "false"):
            raise ConvvizError(f'{name} is "{text}": give true or false')
        return text == "true"
    items = text.removesuffix(",").split(",")
    try:
        values = [_item(name, item) for item in items]
    except ValueError:
        like = (
            "a whole number, such as 3"
            if name in _COUNTS
            else "1, 1,2, 0:1 or same"
            if name == "padding"
            else "5 or 5,7"
        )
        raise ConvvizError(f'{name} is "{text}": give {like}') from None
    if len(values) > 1 or text.endswith(","):
        return tuple(values)
    return values if isinstance(values[0], tuple) else values[0]


def _item(name: str, text: str) -> int | tuple[int, ...]:
    if name == "padding" and ":" in text:
        begin, end = text.split(":")
        return whole_number(begin), whole_number(end)
    return whole_number(text)


def whole_number(text: str) -> int:
    """The number that ``text`` writes in decimal digits; raises ``ValueError`` for anything else.

    >>> whole_number(" -3 ")
    -3
    """
    stripped = text.strip()
    if not (stripped.removeprefix("-").isascii() and stripped.removeprefix("-").isdigit()) or len(stripped) > 18:
        raise ValueError(text)
    return int(stripped)
