#!/usr/bin/python3
"""Reference values of convolution and pooling, by torch in float64: writes convolution.jsonl beside this file."""
import numpy as np
import torch
import torch.nn.functional as F

from torch_cases import bad, case, numbers, special, write

nan, inf = float("nan"), float("inf")


def distinct(*shape):
    """No ties, which torch breaks the same way, but whose derivative is a matter of convention."""
    return np.random.default_rng(7).permutation(int(np.prod(shape))).reshape(shape) / 8.0 - 2


# ---- Convolution ----
def conv(op, x, w, bias, **attrs):
    case(op, [numbers(*x), numbers(*w), numbers(w[0]) if bias else None], attrs, lambda x, w, b: getattr(F, op)(x, w, b, **attrs))


conv("conv1d", (2, 2, 5), (3, 2, 2), True)
conv("conv1d", (1, 4, 6), (2, 2, 3), False, stride=2, padding=1, groups=2)
conv("conv1d", (2, 1, 7), (2, 1, 2), True, dilation=3)
conv("conv1d", (2, 3, 4), (2, 3, 1), True)
conv("conv1d", (1, 1, 3), (1, 1, 5), True, padding=2)
conv("conv2d", (2, 2, 4, 5), (3, 2, 2, 3), True)
conv("conv2d", (1, 4, 5, 4), (4, 2, 3, 3), True, stride=[2, 1], padding=[1, 0], groups=2)
conv("conv2d", (1, 1, 4, 4), (1, 1, 2, 2), False, padding=[0, 1])
conv("conv2d", (2, 2, 5, 5), (2, 2, 2, 2), False, dilation=[2, 1])
conv("conv2d", (2, 3, 3, 2), (4, 3, 1, 1), True)
conv("conv2d", (2, 3, 3, 3), (4, 3, 1, 1), True, stride=2)
conv("conv2d", (2, 3, 3, 4), (3, 1, 2, 2), False, groups=3)
conv("conv2d", (1, 2, 3, 4), (4, 1, 2, 2), True, groups=2, stride=3)
conv("conv2d", (9, 1, 3, 3), (2, 1, 2, 2), True, padding=1)
conv("conv2d", (1, 2, 6, 7), (2, 2, 3, 2), True, stride=[2, 3], padding=[2, 1], dilation=[1, 2])
conv("conv3d", (1, 2, 3, 3, 4), (2, 2, 2, 2, 2), True)
conv("conv3d", (1, 2, 4, 3, 3), (2, 1, 2, 3, 2), False, stride=[2, 1, 1], padding=[0, 1, 1], groups=2)
conv("conv3d", (2, 1, 3, 4, 3), (1, 1, 2, 2, 2), True, dilation=[1, 2, 1])
special("conv2d", [np.zeros((0, 2, 4, 4)), numbers(3, 2, 2, 2), numbers(3)], {}, np.zeros((0, 3, 3, 3)), "no images")
bad("conv2d", [numbers(1, 3, 4, 4), numbers(2, 2, 2, 2), None], {}, "shape", "channels differ")
bad("conv2d", [numbers(1, 2, 4, 4), numbers(3, 1, 2, 2), None], {"groups": 2}, "shape", "3 channels in 2 groups")
bad("conv2d", [numbers(1, 2, 2, 4), numbers(2, 2, 3, 3), None], {}, "shape", "the window is larger")
bad("conv2d", [numbers(2, 4, 4), numbers(2, 2, 2, 2), None], {}, "shape", "too few dimensions")
bad("conv2d", [numbers(1, 2, 4, 4), numbers(2, 2, 2, 2), numbers(3)], {}, "shape", "the bias has another length")
bad("conv2d", [numbers(1, 2, 4, 4), numbers(2, 2, 2, 2), None], {"dilation": -1}, "value", "negative dilation")
bad("conv2d", [numbers(1, 2, 4, 4), numbers(2, 2, 2, 2), None], {"padding": -1}, "value", "negative padding")
bad("conv2d", [numbers(1, 2, 4, 4), numbers(2, 2, 2, 2), None], {"groups": 0}, "value", "no groups")


def transposed(op, x, w, bias, **attrs):
    out = w[1] * attrs.get("groups", 1)
    case(op, [numbers(*x), numbers(*w), numbers(out) if bias else None], attrs,
         lambda x, w, b: getattr(F, op)(x, w, b, **attrs))


transposed("conv_transpose1d", (2, 2, 3), (2, 3, 2), True)
transposed("conv_transpose1d", (1, 4, 3), (4, 2, 3), False, stride=2, padding=1, output_padding=1, groups=2)
transposed("conv_transpose1d", (2, 1, 3), (1, 2, 2), True, dilation=2)
transposed("conv_transpose1d", (1, 1, 3), (1, 1, 2), True, dilation=3, output_padding=2)
transposed("conv_transpose2d", (2, 2, 3, 2), (2, 3, 2, 2), True)
transposed("conv_transpose2d", (1, 4, 2, 3), (4, 1, 3, 2), True, stride=[2, 3], padding=[1, 0], output_padding=[1, 2], groups=2)
transposed("conv_transpose2d", (2, 2, 3, 3), (2, 1, 2, 2), False, dilation=2)
transposed("conv_transpose2d", (1, 3, 2, 2), (3, 2, 1, 1), True)
transposed("conv_transpose1d", (2, 4, 3), (4, 1, 1), True, dilation=2, output_padding=1, groups=2)
transposed("conv_transpose2d", (2, 4, 2, 3), (4, 2, 1, 1), False, dilation=2, output_padding=[0, 1], groups=2)
for attrs in ({"stride": 0}, {"stride": [1, 0]}, {"dilation": [0, 1]}, {"dilation": [1, -1]}):
    bad("conv2d", [numbers(1, 2, 4, 4), numbers(2, 2, 2, 2), None], attrs, "value", "a step of 0, or back")
for attrs in ({"kernel_size": [2, 0]}, {"kernel_size": 0}, {"kernel_size": 2, "stride": 0}, {"kernel_size": 2, "stride": [1, 0]}):
    bad("max_pool2d", [numbers(1, 2, 4, 4)], attrs, "value", "a step or window of 0")
    bad("avg_pool2d", [numbers(1, 2, 4, 4)], attrs, "value", "a step or window of 0")
bad("conv_transpose2d", [numbers(1, 3, 2, 2), numbers(2, 2, 2, 2), None], {}, "shape", "channels differ")
bad("conv_transpose2d", [numbers(1, 2, 2, 2), numbers(2, 2, 2, 2), None], {"output_padding": 1}, "value", "not below stride")

# ---- Pooling ----
for op, size, attrs in (("max_pool1d", (2, 2, 6), dict(kernel_size=2)),
                        ("max_pool1d", (2, 1, 7), dict(kernel_size=3, stride=2, padding=1)),
                        ("max_pool1d", (1, 2, 7), dict(kernel_size=2, dilation=3, stride=1)),
                        ("max_pool2d", (2, 2, 4, 4), dict(kernel_size=2)),
                        ("max_pool2d", (1, 2, 5, 6), dict(kernel_size=[3, 2], stride=[2, 1], padding=[1, 0])),
                        ("max_pool2d", (1, 1, 6, 5), dict(kernel_size=2, stride=1, dilation=[2, 3])),
                        ("max_pool2d", (1, 1, 3, 5), dict(kernel_size=[1, 3]))):
    case(op, [distinct(*size)], attrs, lambda x: getattr(F, op)(x, **attrs))
special("max_pool1d", [[[[1.0, 1.0, 0.0, 2.0, 2.0, 2.0]]]], {"kernel_size": 3}, [[[1.0, 2.0]]], "the first of equals",
        vjp=[[[[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]]]])
special("max_pool1d", [[[[1.0, nan, 3.0, -inf]]]], {"kernel_size": 2}, [[[nan, 3.0]]], "a NaN wins",
        vjp=[[[[0.0, 1.0, 1.0, 0.0]]]])
special("max_pool1d", [[[[-inf, -inf]]]], {"kernel_size": 2, "padding": 1}, [[[-inf, -inf]]], "padding is never chosen",
        vjp=[[[[1.0, 1.0]]]])
bad("max_pool2d", [numbers(1, 1, 4, 4)], {}, "attr", "kernel_size is required")
bad("max_pool2d", [numbers(1, 1, 4, 4)], {"kernel_size": 5}, "shape", "the window is larger")
bad("max_pool2d", [numbers(1, 1, 4, 4)], {"kernel_size": 2, "padding": 2}, "value", "more padding than half a window")
bad("max_pool2d", [numbers(1, 4, 4)], {"kernel_size": 2}, "shape", "too few dimensions")

for op, size, attrs, rtol in (("avg_pool1d", (2, 2, 6), dict(kernel_size=2), 0),
                              ("avg_pool1d", (2, 1, 7), dict(kernel_size=3, stride=2, padding=1), 4e-16),
                              ("avg_pool1d", (2, 1, 7), dict(kernel_size=3, stride=2, padding=1, count_include_pad=False), 4e-16),
                              ("avg_pool2d", (2, 2, 4, 4), dict(kernel_size=2), 0),
                              ("avg_pool2d", (1, 2, 5, 6), dict(kernel_size=[3, 2], stride=[2, 1], padding=[1, 0]), 1e-15),
                              ("avg_pool2d", (1, 2, 5, 6), dict(kernel_size=3, padding=1, count_include_pad=False), 1e-15)):
    case(op, [numbers(*size)], attrs, lambda x: getattr(F, op)(x, **attrs), rtol=rtol)
bad("avg_pool2d", [numbers(1, 1, 4, 4)], {"kernel_size": [2, 5]}, "shape", "the window is larger")
bad("avg_pool1d", [numbers(1, 1, 4)], {"kernel_size": -1}, "value", "negative window")

write("convolution.jsonl")
