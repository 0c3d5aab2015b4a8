"""Operations from the layers of frameworks, and back to PyTorch's: no framework is imported.

PyTorch's modules, Keras's layers and ONNX's nodes are told apart by their classes' names. What they mean is taken from
their documentation: PyTorch's ``torch.nn``; Keras's ``keras.layers``, whose "same" is TensorFlow's; ONNX's operator
schemas.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

import numpy as np

from convviz.errors import ConvvizError, shown
from convviz.ops import OPERATIONS, AveragePool, ConvTranspose, MaxPool, Operation, show

TORCH = {"Conv": "conv", "ConvTranspose": "conv-transpose", "MaxPool": "max-pool", "AvgPool": "average-pool"}
KERAS = {
    "Conv": "conv",
    "Convolution": "conv",
    "DepthwiseConv": "conv",
    "ConvTranspose": "conv-transpose",
    "MaxPooling": "max-pool",
    "AveragePooling": "average-pool",
}
ONNX = {"Conv": "conv", "ConvTranspose": "conv-transpose", "MaxPool": "max-pool", "AveragePool": "average-pool"}

_CONV = ("in_channels", "out_channels", "kernel_size", "stride", "padding")
_REST = ("bias", "padding_mode", "device", "dtype")
TORCH_PARAMETERS = {
    "conv": (*_CONV, "dilation", "groups", *_REST),
    "conv-transpose": (*_CONV, "output_padding", "groups", "bias", "dilation", *_REST[1:]),
    "max-pool": ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode"),
    "average-pool": ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override"),
}
"""The parameters of ``torch.nn``'s layers in their order."""
_UNSEEN = {"bias", "device", "dtype", "return_indices"}

Parameters = dict[str, Any]


def from_layer(
    layer: Any, input_size: int | Iterable[int], *, kernel_size: int | Iterable[int] | None = None
) -> Operation:
    """The operation of a layer on an input of ``input_size``.

    Parameters
    ----------
    layer
        A ``torch.nn`` module (Conv, ConvTranspose, MaxPool, AvgPool, 1d or 2d), a Keras layer (Conv, DepthwiseConv,
        ConvTranspose, MaxPooling, AveragePooling, 1D or 2D) or an ONNX node (Conv, ConvTranspose, MaxPool,
        AveragePool). The channels are the layer's; where it does not know them yet, as few as its groups allow.
    input_size
        Cells of the input along each axis, without batch and channels.
    kernel_size
        For an ONNX node that leaves it to the shape of its weight.

    Raises
    ------
    ConvvizError
        For a layer that cannot be drawn, such as one over 3 axes, and where its parameters do not fit the input.

    Examples
    --------
    >>> class Conv2d:  # as torch.nn.Conv2d(16, 32, 3, stride=2, padding=1)
    ...     in_channels, out_channels, groups, padding_mode = 16, 32, 1, "zeros"
    ...     kernel_size, stride, padding, dilation = (3, 3), (2, 2), (1, 1), (1, 1)
    >>> from_layer(Conv2d(), input_size=7).output_size
    (4, 4)
    """
    op, ndim, parameters = _described(layer, kernel_size)
    if ndim > 2:
        raise _too_many_axes(layer, ndim)
    sizes = tuple(input_size) if isinstance(input_size, Iterable) else (input_size,) * ndim
    if len(sizes) != ndim:
        raise ConvvizError(f"input_size is {sizes}: {_name(layer)} needs {ndim} numbers, without batch and channels")
    parameters = {"input_size": sizes, **parameters}
    if "output_shape" in parameters:
        parameters |= _cropped_to(parameters)
    known = {field.name for field in fields(OPERATIONS[op])}
    for name in [name for name in parameters if name not in known]:
        value = parameters.pop(name)
        if name not in ("output_shape", "upper") and value not in (0, 1, (1,) * ndim, False, "zeros"):
            raise ConvvizError(f"{name} is {value}: cannot be drawn for {_name(layer)}")
    return OPERATIONS[op](**parameters)


def read_layer(text: str) -> tuple[str, dict[str, str]]:
    """The operation and the parameters, as text, of a layer as it is written for PyTorch. Nothing is evaluated.

    Raises `ConvvizError` where it is no layer that can be drawn, or has what it cannot have.

    >>> read_layer("nn.ConvTranspose2d(64, 32, 4, stride=2, bias=False)")
    ('conv-transpose', {'in_channels': '64', 'out_channels': '32', 'kernel_size': '4,4', 'stride': '2'})
    """
    call = None
    with warnings.catch_warnings(), suppress(SyntaxError, ValueError, MemoryError, RecursionError):
        warnings.simplefilter("ignore")  # of odd, but valid Python
        parsed = ast.parse(text.strip(), mode="eval").body
        ast.unparse(parsed)  # nothing is nested too deeply for what follows
        call = parsed
    if not isinstance(call, ast.Call):
        raise ConvvizError(f"name is {shown(text)}: a layer is written as nn.Conv2d(64, 32, 3, stride=2)")
    layer = ast.unparse(call.func).removeprefix("torch.").removeprefix("nn.")
    kind, axes = layer[:-2], {"1d": 1, "2d": 2}.get(layer[-2:])
    if kind not in TORCH or not axes:
        drawn = ", ".join(f"{each}1d" for each in TORCH)
        raise ConvvizError(f"name is {shown(text)}: {layer} cannot be drawn; give {drawn}, or 2d")
    names = TORCH_PARAMETERS[TORCH[kind]]
    if len(call.args) > len(names):
        raise ConvvizError(f"name is {shown(text)}: {layer} takes at most {len(names)} arguments")
    keywords = [(word.arg or "**", word.value) for word in call.keywords]
    values: dict[str, Any] = {}
    for name, node in [*zip(names, call.args, strict=False), *keywords]:
        said = f"{name} is {ast.unparse(node)}"
        if name not in names:
            raise ConvvizError(f"{said}: {layer} has no {name}, only {', '.join(names)}")
        if name in values:
            raise ConvvizError(f"{said}: {layer} has it twice")
        try:
            values[name] = None if name in _UNSEEN else ast.literal_eval(node)
        except (ValueError, TypeError):
            raise ConvvizError(f"{said}: write out its value") from None
        value = values[name]
        numbers = value if isinstance(value, tuple | list) else (value,) * axes
        word = name == "padding_mode" or (name == "padding" and kind == "Conv" and value in ("same", "valid"))
        sizes = len(numbers) == axes and all(isinstance(number, int) for number in numbers)
        if not (value is None or word or sizes):
            raise ConvvizError(f"{said}: {layer} takes a whole number" + ", or two" * (axes > 1))
    if values.pop("divisor_override", None) is not None:
        raise ConvvizError("divisor_override is given: cannot be drawn; leave it out")
    for needed in names[: names.index("kernel_size") + 1]:
        if values.get(needed) is None:
            raise ConvvizError(f"{needed} is not given: {layer} needs it")
    if values.get("padding") == "same" and show(values.get("stride", 1)) != "1":
        raise ConvvizError(f'padding is "same": {layer} takes it with stride 1 only')
    kernel = values["kernel_size"]
    values["kernel_size"] = kernel if isinstance(kernel, tuple | list) else (kernel,) * axes
    texts = {name: show(value) for name, value in values.items() if value is not None and value != "zeros"}
    texts["kernel_size"] = ",".join(map(show, values["kernel_size"])) + "," * (axes == 1)  # says how many axes
    return TORCH[kind], texts


def layer_weights(layer: Any) -> tuple[Any, Any]:
    """A layer's weight and bias (None where it has none) as `convviz.trace` takes them: PyTorch's layout.

    So ``trace(op, x, *layer_weights(layer))`` shows the layer at work. Raises `ConvvizError` where there is no
    weight, or the layer is none that `from_layer` takes.
    """
    bias = None
    if callable(getattr(layer, "get_weights", None)):  # Keras
        arrays = [np.asarray(array) for array in layer.get_weights()]
        if not arrays:
            raise ConvvizError(f"layer is {_name(layer)}: it has no weights; call it on an input first")
        _, ndim, parameters = _described(layer, None)
        # The kernel's last two axes are channels: in and out, out and in if transposed, in and multiplier if depthwise.
        depthwise = getattr(layer, "depth_multiplier", None) is not None
        weight = np.moveaxis(arrays[0], (-2, -1) if depthwise else (-1, -2), (0, 1))
        if depthwise:
            weight = weight.reshape(-1, 1, *weight.shape[2:])
        bias = arrays[1] if len(arrays) > 1 else None
    else:
        tensor = getattr(layer, "weight", None)
        if tensor is None or not callable(getattr(tensor, "detach", None)):
            raise ConvvizError(f"layer is {_name(layer)}: it has no weights")
        _, ndim, parameters = _described(layer, None)
        weight = _numbers(layer, tensor)
        if getattr(layer, "bias", None) is not None:
            bias = _numbers(layer, layer.bias)
    if ndim > 2:
        raise _too_many_axes(layer, ndim)
    if parameters["in_channels"] == 1 and parameters["out_channels"] == 1:
        weight = weight.reshape(weight.shape[-ndim:])
    return weight, bias


def _numbers(layer: Any, tensor: Any) -> Any:
    """A PyTorch tensor as an array."""
    try:
        held = tensor.detach().cpu()
    except (ValueError, NotImplementedError):  # a lazy layer's, and one on the device "meta"
        raise ConvvizError(
            f"layer is {_name(layer)}: its weights have no numbers yet; initialise it, or call it on an input first"
        ) from None
    try:
        return np.asarray(held)
    except TypeError:  # bfloat16, which NumPy has not; a longer float holds the same numbers
        return np.asarray(held.float())


def _too_many_axes(layer: Any, ndim: int) -> ConvvizError:
    return ConvvizError(f"layer is {_name(layer)}: {ndim} axes cannot be drawn, give a layer over 1 or 2")


def _name(layer: Any) -> str:
    return str(getattr(layer, "op_type", "") or type(layer).__name__)


def _described(layer: Any, kernel_size: Any) -> tuple[str, int, Parameters]:
    """The operation's name, the number of axes, and the parameters that do not depend on the input's size."""
    if hasattr(layer, "op_type") and hasattr(layer, "attribute"):
        if layer.op_type in ONNX:
            return ONNX[layer.op_type], *_onnx(layer, ONNX[layer.op_type], kernel_size)
    else:
        for base in type(layer).__mro__:
            for known, read in ((TORCH, _torch), (KERAS, _keras)):
                end = "d" if known is TORCH else "D"
                for ndim in (1, 2, 3):
                    # Keras puts the number of axes before "Transpose", PyTorch last.
                    kind = base.__name__.replace(f"{ndim}{end}", "")
                    if kind != base.__name__ and kind in known:
                        try:
                            return known[kind], ndim, read(layer, known[kind], ndim)
                        except AttributeError as error:
                            raise ConvvizError(f"layer is {_name(layer)}: it has no {error.name}") from None
    raise ConvvizError(
        f"layer is {_name(layer)}: give a convolution, transposed convolution or pooling of PyTorch, Keras or ONNX"
    )


def _each(value: Any, ndim: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, Iterable) else (value,) * ndim


def _torch(layer: Any, op: str, ndim: int) -> Parameters:
    padding = layer.padding
    if getattr(layer, "divisor_override", None) is not None:
        raise ConvvizError(f"divisor_override is {layer.divisor_override}: cannot be drawn; leave it out")
    parameters: Parameters = {
        "kernel_size": _each(layer.kernel_size, ndim),
        "stride": _each(layer.stride, ndim),
        "padding": padding if isinstance(padding, str) else _each(padding, ndim),
        "dilation": _each(getattr(layer, "dilation", 1), ndim),
    }
    if "pool" in op:
        parameters |= {"ceil_mode": layer.ceil_mode}
        if op == "average-pool":
            parameters |= {"count_include_pad": layer.count_include_pad}
        return parameters
    if op == "conv-transpose":
        parameters |= {"output_padding": _each(layer.output_padding, ndim)}
    # A lazy layer has no input channels until it has seen an input.
    channels = {"in_channels": layer.in_channels or layer.groups, "out_channels": layer.out_channels}
    return {**parameters, **channels, "groups": layer.groups, "padding_mode": layer.padding_mode}


def _keras(layer: Any, op: str, ndim: int) -> Parameters:
    if "pool" in op:
        # The cells that "same" adds are not counted (Keras on PyTorch repeats the edge where they are uneven).
        pool = {"kernel_size": _each(layer.pool_size, ndim), "stride": _each(layer.strides, ndim)}
        counted = {"count_include_pad": False} if op == "average-pool" else {}
        return {**pool, "padding": layer.padding, **counted}
    kernel, dilation = _each(layer.kernel_size, ndim), _each(layer.dilation_rate, ndim)
    stride, padding = _each(layer.strides, ndim), layer.padding
    parameters: Parameters = {"kernel_size": kernel, "stride": stride, "dilation": dilation, "padding": padding}
    if padding == "causal":
        parameters["padding"] = tuple((d * (k - 1), 0) for k, d in zip(kernel, dilation, strict=True))
    shape = getattr(getattr(layer, "kernel", None), "shape", None)
    if op == "conv-transpose":
        parameters |= _keras_transposed(kernel, stride, dilation, padding, getattr(layer, "output_padding", None))
        return {**parameters, "in_channels": shape[-1] if shape else 1, "out_channels": layer.filters}
    if getattr(layer, "depth_multiplier", None) is not None:
        inner = shape[-2] if shape else 1
        return {**parameters, "in_channels": inner, "out_channels": inner * layer.depth_multiplier, "groups": inner}
    groups = layer.groups
    inner = (shape[-2] if shape else 1) * groups
    return {**parameters, "in_channels": inner, "out_channels": layer.filters, "groups": groups}


def _keras_transposed(
    kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int], padding: str, output_padding: Any
) -> Parameters:
    """Keras says the output's size: ``i*s`` ("same") or ``i*s + max(span - s, 0)`` ("valid"), where a kernel spans
    ``span`` cells; or, with output_padding, ``(i - 1)*s + span - 2*(span // 2) + output_padding`` and
    ``(i - 1)*s + span + output_padding``. Of what is cropped for that, the odd cell goes at the end.
    """
    if padding == "same" and output_padding is None:
        return {"padding": "same"}
    pairs, extras = [], []
    given = [None] * len(kernel) if output_padding is None else _each(output_padding, len(kernel))
    for k, s, d, extra in zip(kernel, stride, dilation, given, strict=True):
        span = d * (k - 1) + 1
        added = max(s - span, 0) if extra is None else extra
        if padding == "same":
            added -= 2 * (span // 2)
        crop = max(-added, 0)
        pairs.append((crop // 2, crop - crop // 2))
        extras.append(max(added, 0))
    return {"padding": tuple(pairs), "output_padding": tuple(extras)}


def _onnx(node: Any, op: str, kernel_size: Any) -> tuple[int, Parameters]:
    given = {attribute.name: _onnx_value(attribute) for attribute in node.attribute}
    kernel = given.get("kernel_shape", kernel_size)
    if kernel is None:
        raise ConvvizError(
            f"kernel_size is missing: this {node.op_type} leaves it to its weight's shape; give kernel_size"
        )
    told = [given[name] for name in ("strides", "dilations", "output_padding") if name in given]
    ndim = len(next((value for value in (kernel, *told) if isinstance(value, Sequence)), (0, 0)))
    pads = given.get("pads", (0,) * 2 * ndim)
    words = {"VALID": "valid", "SAME_UPPER": "same", "SAME_LOWER": "same_lower"}
    auto = given.get("auto_pad", "NOTSET")
    parameters: Parameters = {
        "kernel_size": _each(kernel, ndim),
        "stride": given.get("strides", (1,) * ndim),
        "padding": words.get(auto, tuple(zip(pads[:ndim], pads[ndim:], strict=True))),
        "dilation": given.get("dilations", (1,) * ndim),
    }
    if "pool" in op:
        parameters |= {"ceil_mode": bool(given.get("ceil_mode", 0))}
        if op == "average-pool":
            parameters |= {"count_include_pad": bool(given.get("count_include_pad", 0))}
        return ndim, parameters
    group = given.get("group", 1)
    parameters |= {"in_channels": group, "out_channels": group, "groups": group}
    if op == "conv-transpose":
        parameters |= {"output_padding": given.get("output_padding", (0,) * ndim)}
        if "output_shape" in given:
            parameters |= {"output_shape": given["output_shape"][-ndim:], "upper": auto == "SAME_UPPER"}
    return ndim, parameters


def _onnx_value(attribute: Any) -> Any:
    if attribute.ints:
        return tuple(attribute.ints)
    return attribute.s.decode() if attribute.s else attribute.i


def _cropped_to(parameters: Parameters) -> Parameters:
    """The padding that gives ONNX's ``output_shape``: what is too much is cropped, half of it on each side."""
    pairs, extras = [], []
    axes = zip(*(parameters[n] for n in _OUTPUT), strict=True)
    for i, k, s, d, extra, out in axes:
        total = s * (i - 1) + extra + d * (k - 1) + 1 - out
        crop = max(total, 0)
        less, more = crop // 2, crop - crop // 2
        pairs.append((less, more) if parameters["upper"] else (more, less))
        extras.append(extra + max(-total, 0))
    return {"padding": tuple(pairs), "output_padding": tuple(extras)}


_OUTPUT = ("input_size", "kernel_size", "stride", "dilation", "output_padding", "output_shape")


def pytorch(op: Operation) -> str | None:
    """The equivalent PyTorch layer, with keyword arguments. None for an uneven pooling that no layers give.

    >>> from convviz.ops import Conv
    >>> pytorch(ConvTranspose(3, 3, stride=2, padding=1))
    'torch.nn.ConvTranspose2d(in_channels=1, out_channels=1, kernel_size=3, stride=2, padding=1)'
    >>> print(pytorch(Conv(4, 2, padding=((0, 1), (0, 1)))))
    torch.nn.Sequential(torch.nn.ZeroPad2d((0, 1, 0, 1)), torch.nn.Conv2d(in_channels=1, out_channels=1, \
kernel_size=2))
    >>> pytorch(AveragePool((9,), 3, stride=1, count_include_pad=False))
    'torch.nn.AvgPool1d(kernel_size=3, stride=1, count_include_pad=False)'
    """
    ndim = len(op.input_size)
    uneven = any(begin != end for begin, end in op.padding)
    padding = (0,) * ndim if uneven else tuple(begin for begin, _ in op.padding)
    # Each parameter with its value and its default.
    keywords: dict[str, tuple[Any, Any]] = {
        "kernel_size": (op.kernel_size, None),
        "stride": (op.stride, 1),
        "padding": (padding, 0),
        "output_padding": (getattr(op, "output_padding", 0), 0),
        "dilation": (op.dilation, 1),
        "groups": (op.groups, 1),
        "padding_mode": (op.padding_mode if not uneven else "zeros", "zeros"),
    }
    if isinstance(op, MaxPool | AveragePool):
        keywords["stride"] = (op.stride, _single(op.kernel_size))
        keywords["groups"] = (1, 1)
        keywords["ceil_mode"] = (op.ceil_mode, False)
        keywords["count_include_pad"] = (getattr(op, "count_include_pad", True), True)
    else:
        keywords = {"in_channels": (op.in_channels, None), "out_channels": (op.out_channels, None), **keywords}
    shown = ((name, _single(value), default) for name, (value, default) in keywords.items())
    said = ", ".join(f"{name}={value!r}" for name, value, default in shown if value != default)
    layer = f"torch.nn.{_TORCH_NAMES[op.name]}{ndim}d({said})"
    if not uneven:
        return layer
    # PyTorch's layers pad alike on both sides; its padding layers (a negative one crops) take the last axis first.
    ends = tuple(end for pair in reversed(op.padding) for end in pair)
    if isinstance(op, ConvTranspose):
        return f"torch.nn.Sequential({layer}, torch.nn.ZeroPad{ndim}d({tuple(-end for end in ends)}))"
    pad = f"torch.nn.{_PADS[op.padding_mode]}{ndim}d({ends})"
    if isinstance(op, MaxPool | AveragePool):
        # To a layer of its own, padding is input: it counts, and a last window may start in it.
        apart = replace(op, input_size=op.padded_size, padding=((0, 0),) * ndim)
        if apart.output_size != op.output_size or (isinstance(op, AveragePool) and not op.count_include_pad):
            return None
        if isinstance(op, MaxPool):
            pad = f"torch.nn.ConstantPad{ndim}d({ends}, -float('inf'))"
    return f"torch.nn.Sequential({pad}, {layer})"


_TORCH_NAMES = {op: layer for layer, op in TORCH.items()}
_PADS = {"zeros": "ZeroPad", "reflect": "ReflectionPad", "replicate": "ReplicationPad", "circular": "CircularPad"}


def _single(value: Any) -> Any:
    """The one number of sizes that are alike."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value
