"""Sizes, padding words and what is refused."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import operations

from convviz import CASES, Conv, ConvTranspose, ConvvizError
from convviz.cases import GUIDE
from convviz.spec import command, parse_case, parse_operation, show_parameters

SIZES = st.integers(1, 9)


@given(i=SIZES, k=SIZES, s=SIZES, d=SIZES)
def test_same_gives_one_output_a_stride_whatever_the_kernel(i, k, s, d):
    for word in ("same", "same_lower"):
        op = Conv((i,), (k,), s, word, d)
        begin, end = op.padding[0]
        assert op.output_size == (ceil(i / s),)
        assert abs(begin - end) <= 1
        assert begin <= end if word == "same" else begin >= end


@given(i=SIZES, k=SIZES, s=SIZES, d=SIZES)
def test_transposed_same_gives_a_stride_of_outputs_an_input(i, k, s, d):
    for word in ("same", "same_lower"):
        op = ConvTranspose((i,), (k,), s, word, d)
        begin, end = op.padding[0]
        assert op.output_size == (i * s,)
        assert begin <= end if word == "same" else begin >= end


@given(i=SIZES, k=SIZES, d=SIZES)
def test_full_lets_every_overlap_count(i, k, d):
    assert Conv((i,), (k,), 1, "full", d).output_size == (i + d * (k - 1),)


@given(operations())
def test_text_and_back_is_the_same_operation(op):
    assert parse_operation(op.name, show_parameters(op)) == op


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_its_command(name):
    import shlex

    from convviz.cli import _case, _parser

    case = CASES[name]
    arguments = _parser().parse_args(["render", *shlex.split(command(case)), "-o", "a.gif"])
    assert _case(arguments).op == case.op
    assert (arguments.view or "stack", arguments.order or "gather", arguments.with_transposed) == (
        case.view, case.order, case.with_transposed
    )  # fmt: skip


def test_the_cases_of_the_guide():
    direct = {name: case.op for name, case in GUIDE.items() if isinstance(case.op, Conv)}
    facts = {name: (op.input_size[0], op.kernel_size[0], op.stride[0], op.padding[0][0]) for name, op in direct.items()}
    assert (
        facts.items()
        >= {
            "no_padding_no_strides": (4, 3, 1, 0),
            "arbitrary_padding_no_strides": (5, 4, 1, 2),
            "same_padding_no_strides": (5, 3, 1, 1),
            "full_padding_no_strides": (5, 3, 1, 2),
            "no_padding_strides": (5, 3, 2, 0),
            "padding_strides": (5, 3, 2, 1),
            "padding_strides_odd": (6, 3, 2, 1),
            "dilation": (7, 3, 1, 0),
        }.items()
    )
    for name, op in direct.items():
        if name != "dilation":
            back = GUIDE[f"{name}_transposed"].op
            assert (back.input_size, back.output_size) == (op.output_size, op.input_size)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Conv(0, 3), "input_size is 0: it must be at least 1"),
        (lambda: Conv((5, 0), 3), "input_size is 5,0: it must be at least 1"),
        (lambda: Conv(5, 0), "kernel_size is 0"),
        (lambda: Conv(3, 5), r"kernel_size is 5: larger than the padded input \(3 \+ 0 \+ 0 = 3 cells\)"),
        (lambda: Conv(4, 3, dilation=2), r"kernel_size is 3 with dilation 2, spanning 5 cells: larger"),
        (lambda: Conv(5, 3, stride=0), "stride is 0: it must be at least 1"),
        (lambda: Conv(5, 3, padding=-1), "padding is -1: it must be at least 0"),
        (lambda: Conv(5, 3, padding="some"), 'padding is "some": give a number'),
        (lambda: Conv(5, 3, padding=((1, 2, 3), (1, 2))), "a pair has two numbers"),
        (lambda: Conv(5.5, 3), "input_size is 5.5: give whole numbers"),
        (lambda: Conv("5", 3), 'input_size is "5": give whole numbers'),
        (lambda: Conv(5, True), "kernel_size is True"),
        (lambda: Conv((5, 5), (3,)), "differ in their number of axes"),
        (lambda: Conv((5, 5, 5), 3), "3 axes cannot be drawn, give 1 or 2"),
        (
            lambda: Conv(5, 3, padding=(1, 2, 1, 2)),
            "4 axes cannot be drawn, give 1 or 2, or a pair for each, begin and",
        ),
        (lambda: Conv(10**12, 3), "input_size is 1000000000000: it must be at most"),
        (lambda: Conv(5, 3, in_channels=4, out_channels=4, groups=3), "groups is 3: it must divide"),
        (
            lambda: ConvTranspose(3, 3, stride=2, output_padding=2),
            "output_padding is 2: it must be less than the stride",
        ),
        (lambda: ConvTranspose(2, 1, padding=1), "padding is 1: it crops all 2 cells"),
    ],
)
def test_what_cannot_be_is_refused_by_name_value_and_way_out(make, said):
    with pytest.raises(ConvvizError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "parameters", "said"),
    [
        ("conv", {"input_size": "x", "kernel_size": "3"}, 'input_size is "x": give 5 or 5,7'),
        ("conv", {"input_size": "5", "kernel_size": "3", "padding": "1:2:3"}, 'padding is "1:2:3"'),
        ("conv", {"input_size": "5"}, "kernel_size is not given"),
        ("conv", {"input_size": "5", "kernel_size": "3", "output_padding": "1"}, "conv has no output_padding"),
        ("conv", {"input_size": "5,,5", "kernel_size": "3"}, 'input_size is "5,,5"'),
        ("conv", {"input_size": "5", "kernel_size": "\u0663"}, "kernel_size is"),
        ("padding_stride", {}, 'name is "padding_stride": did you mean "padding_strides"?'),
        ("qqqqq", {}, 'name is "qqqqq": give one that is listed by `convviz list`'),
    ],
)
def test_text_that_is_no_operation_is_refused(name, parameters, said):
    with pytest.raises(ConvvizError) as caught:
        parse_case(name, parameters)
    assert said in str(caught.value)
