#!/usr/bin/python3
"""Reference values of normalisation, dropout and gates, by torch in float64: writes networks.jsonl beside this file."""
import os

import numpy as np
import torch
import torch.nn.functional as F

from torch_cases import bad, case, lines, numbers, tensor, write

os.chdir(os.path.dirname(os.path.abspath(__file__)))

# ---- layer_norm, rms_norm ----
def layer_norm(axes, eps=1e-5, centered=True):
    def f(x, w=None, b=None):
        first = [a % x.dim() for a in axes]
        mean = x.mean(first, keepdim=True) if centered else 0
        var = ((x - mean) ** 2).mean(first, keepdim=True)
        y = (x - mean) / torch.sqrt(var + eps)
        along = [x.shape[a] if a in first else 1 for a in range(x.dim())]
        y = y if w is None else y * w.reshape(along)
        return y if b is None else y + b.reshape(along)
    return f


def agrees(own, *xs):
    """torch's own function gives the same as the formula above."""
    theirs, f = own
    xs = [None if x is None else torch.as_tensor(x) for x in xs]
    assert torch.allclose(theirs(*xs), f(*xs), rtol=1e-12, atol=1e-12)


x, w, b = numbers(2, 3, 4), numbers(3, 4), numbers(3, 4)
agrees((lambda x, w, b: F.layer_norm(x, (3, 4), w, b), layer_norm((1, 2))), x, w, b)
for shape, axis, sizes in (((3, 5), None, (5,)), ((2, 3, 4), [1, 2], (3, 4)), ((2, 3, 4), 1, (3,)), ((2, 3, 4), 0, (2,)),
                           ((2, 3, 4), [-2, -1], (3, 4)), ((2, 40), None, (40,)), ((4,), -1, (4,)), ((3, 1), None, (1,)),
                           ((2, 3), [0, 1], (2, 3))):
    attrs = {} if axis is None else {"axis": axis}
    axes = (-1,) if axis is None else tuple(np.atleast_1d(axis).tolist())
    case("layer_norm", [numbers(*shape), numbers(*sizes), numbers(*sizes)], attrs, layer_norm(axes), atol=1e-12, f32=axis != 0)
    case("rms_norm", [numbers(*shape), numbers(*sizes)], attrs, layer_norm(axes, 1e-6, False), atol=1e-12,
         f32=sizes != (1,))  # of one element nearly nothing is left: g - g
case("layer_norm", [numbers(3, 5), None, None], {}, layer_norm((-1,)), "neither weight nor bias", atol=1e-12)
case("layer_norm", [numbers(3, 5), None, numbers(5)], {"eps": 0.5}, lambda x, w, b: layer_norm((-1,), 0.5)(x, None, b),
     "no weight", atol=1e-12)
case("layer_norm", [numbers(3, 5), numbers(5), None], {"eps": 0}, lambda x, w, b: layer_norm((-1,), 0)(x, w), "no bias",
     atol=1e-12)
case("layer_norm", [np.full((2, 4), 3.5), numbers(4), numbers(4)], {}, layer_norm((-1,)), "no variance: the bias", atol=1e-12,
     f32=False, rtol=1e-11)
case("layer_norm", [1e6 + numbers(2, 8), numbers(8), numbers(8)], {}, layer_norm((-1,)), "a mean far from 0", f32=False,
     rtol=1e-8, atol=1e-8)
case("layer_norm", [numbers(0, 3), numbers(3), numbers(3)], {}, layer_norm((-1,)), "no rows")
case("layer_norm", [numbers(2, 0), numbers(0), numbers(0)], {}, lambda x, w, b: x * w + b, "empty rows")
case("rms_norm", [numbers(3, 5), None], {}, layer_norm((-1,), 1e-6, False), "no weight", atol=1e-12)
case("rms_norm", [np.zeros((2, 3)), numbers(3)], {}, layer_norm((-1,), 1e-6, False), "zeros", f32=False)
for op in ("layer_norm", "rms_norm"):
    bad(op, [numbers(3, 5), numbers(4)], {}, "shape", "weight of another size")
    bad(op, [numbers(3, 5), numbers(3, 5)], {}, "shape", "weight with the rows' axis")
    bad(op, [numbers(2, 3, 4), numbers(2, 4)], {"axis": [0, 2]}, "shape", "axes that are not together")
    bad(op, [numbers(2, 3, 4), numbers(2, 3)], {"axis": [0, 1]}, "shape", "axes that do not trail")
    bad(op, [numbers(3, 5), numbers(5)], {"axis": 2}, "shape", "axis out of range")
    bad(op, [numbers(), None], {}, "shape", "0-d")
    bad(op, [numbers(3, 5), numbers(5)], {"eps": -1}, "value", "eps is negative")
    bad(op, [np.ones((3, 5), "int64"), None], {}, "dtype", "integers")

# ---- group_norm, instance_norm ----
def group(n):
    def f(x, w=None, b=None):
        y = layer_norm((2,))(x.reshape(x.shape[0], n or x.shape[1], -1)).reshape(x.shape)
        along = [1, -1] + [1] * (x.dim() - 2)
        y = y if w is None else y * w.reshape(along)
        return y if b is None else y + b.reshape(along)
    return f


agrees((lambda x, w, b: F.group_norm(x, 2, w, b), group(2)), numbers(2, 4, 3), numbers(4), numbers(4))
for shape, n in (((2, 4, 3), 2), ((2, 6), 3), ((2, 4, 2, 2), 1), ((1, 4, 5), 4), ((3, 2, 1, 2), 2)):
    c = shape[1]
    case("group_norm", [numbers(*shape), numbers(c), numbers(c)], {"num_groups": n}, group(n), atol=1e-12,
         f32=bool(np.prod(shape[1:]) > 2 * n))  # of two elements nearly nothing is left
case("group_norm", [numbers(2, 4, 3), None, numbers(4)], {"num_groups": 2}, group(2), "no weight", atol=1e-12)
case("group_norm", [numbers(2, 4, 3), None, None], {"num_groups": 2}, group(2), "neither", atol=1e-12)
bad("group_norm", [numbers(2, 4, 3), None, None], {}, "attr", "num_groups is required")
bad("group_norm", [numbers(2, 4, 3), None, None], {"num_groups": 3}, "shape", "4 channels in 3 groups")
bad("group_norm", [numbers(2, 4, 3), None, None], {"num_groups": 0}, "value", "no groups")
bad("group_norm", [numbers(4), None, None], {"num_groups": 2}, "shape", "no channel axis")
bad("group_norm", [numbers(2, 4, 3), numbers(3), None], {"num_groups": 2}, "shape", "weight is one a channel")

instance = group(0)
agrees((lambda x, w, b: F.instance_norm(x, None, None, w, b), instance), numbers(2, 4, 3), numbers(4), numbers(4))
for shape in ((2, 3, 4), (2, 2, 2, 3), (1, 1, 5)):
    case("instance_norm", [numbers(*shape), numbers(shape[1]), numbers(shape[1])], {}, instance, atol=1e-12)
case("instance_norm", [numbers(2, 3, 4), None, None], {}, instance, atol=1e-12)
bad("instance_norm", [numbers(3), None, None], {}, "shape", "no channel axis")

# ---- batch_norm ----
def batch_norm(x, w, b, mean, var, attrs, why=None):
    """The running statistics are operands without gradient, their new values outputs without one."""
    fixed, along = [torch.as_tensor(mean), torch.as_tensor(var)], [1, -1] + [1] * (x.ndim - 2)

    def f(x, w, b, *ignored):
        axes = [0] + list(range(2, x.dim()))
        m = x.mean(axes) if attrs["training"] else fixed[0]
        v = ((x - m.reshape(along)) ** 2).mean(axes) if attrs["training"] else fixed[1]
        y = (x - m.reshape(along)) / torch.sqrt(v.reshape(along) + attrs.get("eps", 1e-5))
        y = y if w is None else y * w.reshape(along)
        return y if b is None else y + b.reshape(along)

    case("batch_norm", [x, w, b, mean, var], attrs, f, why, atol=1e-12)
    new = torch.as_tensor(mean).clone(), torch.as_tensor(var).clone()
    own = F.batch_norm(torch.as_tensor(x), *new, *[a if a is None else torch.as_tensor(a) for a in (w, b)],
                       training=attrs["training"], momentum=attrs.get("momentum", 0.1), eps=attrs.get("eps", 1e-5))
    assert torch.allclose(own, f(torch.as_tensor(x), *[a if a is None else torch.as_tensor(a) for a in (w, b)]))
    line = lines[-1]
    line["expect"]["values"] += [tensor(new[0]), tensor(new[1])]
    line["expect"]["vjp"][3:] = [None, None]
    line["expect"]["jvp"] += [None, None]
    line["cotangents"] += [None, None]
    line["tangents"][3:] = [None, None]


for training in (True, False):
    for shape in ((4, 3), (3, 2, 4), (2, 3, 2, 2), (40, 2), (1, 2, 3)):
        c = shape[1]
        batch_norm(numbers(*shape), numbers(c), numbers(c), numbers(c), numbers(c, low=0.5), {"training": training})
    batch_norm(numbers(4, 3), None, None, numbers(3), numbers(3, low=0.5), {"training": training, "momentum": 0.3}, "neither")
    batch_norm(numbers(4, 3), None, numbers(3), numbers(3), numbers(3, low=0.5), {"training": training, "eps": 0.25},
               "no weight")
    batch_norm(numbers(4, 3), numbers(3), None, numbers(3), numbers(3, low=0.5), {"training": training, "momentum": 1},
               "no bias")
running = [numbers(3), numbers(3, low=0.5)]
bad("batch_norm", [numbers(4, 3), None, None] + running, {}, "attr", "training is required")
bad("batch_norm", [numbers(1, 3), None, None] + running, {"training": True}, "value", "one value a channel")
bad("batch_norm", [numbers(3), None, None] + running, {"training": True}, "shape", "no channel axis")
bad("batch_norm", [numbers(4, 2), None, None] + running, {"training": True}, "shape", "statistics of another size")
bad("batch_norm", [numbers(4, 3), numbers(4), None] + running, {"training": True}, "shape", "weight of another size")
bad("batch_norm", [numbers(4, 3), None, None, running[0]], {"training": True}, "shape", "running_var is missing")
bad("batch_norm", [numbers(4, 3), None, None] + running, {"training": True, "eps": -1}, "value", "eps is negative")

# ---- dropout: what does not depend on the draw ----
case("dropout", [numbers(3, 4)], {"p": 0.5, "training": False}, lambda x: x * 1, "not in training")
case("dropout", [numbers(3, 4)], {"p": 0}, lambda x: x * 1, "nothing dropped")
case("dropout", [numbers(3, 4)], {"p": 1}, lambda x: x * 0, "all dropped", slope=lambda x: x * 0)
case("dropout", [np.array([np.nan, np.inf])], {"p": 1}, lambda x: torch.zeros(2).double(), "all dropped, even NaN",
     gradient=False)
case("dropout", [numbers(0, 3)], {"p": 0.5, "seed": 3}, lambda x: x * 1, "nothing")
bad("dropout", [numbers(3)], {}, "attr", "p is required")
bad("dropout", [numbers(3)], {"p": 1.5}, "value", "p above 1")
bad("dropout", [numbers(3)], {"p": -0.1}, "value", "p below 0")
bad("dropout", [np.ones(3, "int64")], {"p": 0.5}, "dtype", "integers")

# ---- glu, swiglu ----
gates = {"glu": lambda axis: lambda x: F.glu(x, axis),
         "swiglu": lambda axis: lambda x: F.silu(x.chunk(2, axis)[0]) * x.chunk(2, axis)[1]}
for op, gate in gates.items():
    case(op, [numbers(3, 4)], {}, gate(-1))
    case(op, [numbers(4, 3, 2)], {"axis": 0}, gate(0))
    case(op, [numbers(2, 4, 3)], {"axis": 1}, gate(1))
    case(op, [numbers(0, 4)], {}, gate(-1), "nothing")
    case(op, [np.array([-40.0, 3.0, 40.0, -40.0])], {}, gate(-1), "saturated", f32=False)
    bad(op, [numbers(3, 5)], {}, "shape", "no halves")
    bad(op, [numbers(3, 4)], {"axis": 2}, "shape", "axis out of range")
    bad(op, [numbers()], {}, "shape", "0-d")

write("networks.jsonl")
