"""Animated pictures of convolution arithmetic."""

from convviz.animate import Animation, animate
from convviz.cases import CASES, Case
from convviz.errors import ConvvizError
from convviz.layers import from_layer, layer_weights
from convviz.ops import AveragePool, Conv, ConvTranspose, MaxPool, Operation
from convviz.theme import THEMES, Theme
from convviz.trace import Step, Trace, trace
from convviz.views import VIEWS

__version__ = "0.1.0"

__all__ = [
    "CASES",
    "THEMES",
    "VIEWS",
    "Animation",
    "AveragePool",
    "Case",
    "Conv",
    "ConvTranspose",
    "ConvvizError",
    "MaxPool",
    "Operation",
    "Step",
    "Theme",
    "Trace",
    "animate",
    "from_layer",
    "layer_weights",
    "trace",
]
