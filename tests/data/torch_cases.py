"""Cases of operations that torch has too, for the scripts beside this file: values and derivatives in float64.

All numbers are eighths of small integers, so that sums of products are exact in float64 and, as the cases are small, in
float32: where nothing is divided the answers must agree to the last bit.
"""
import json
import os

import numpy as np
import torch

random = np.random.default_rng(20240917)
lines = []


def numbers(*shape):
    return random.integers(-20, 21, shape) / 8.0


def tensor(a):
    if a is None:
        return None
    a = np.asarray(a)
    data = ["nan" if x != x else "inf" if x == np.inf else "-inf" if x == -np.inf else x for x in a.ravel().tolist()]
    return {"dtype": str(a.dtype), "shape": list(a.shape), "data": data}


def case(op, xs, attrs, f, why=None, rtol=0):
    """f takes torch tensors, None where an input is absent, and gives one."""
    xs = [None if x is None else np.asarray(x) for x in xs]
    given = [i for i, x in enumerate(xs) if x is not None]

    def of_given(*those):
        full = [None] * len(xs)
        for i, x in zip(given, those):
            full[i] = x
        return f(*full)

    inputs = tuple(torch.tensor(xs[i], requires_grad=True) for i in given)
    y = of_given(*inputs)
    u = numbers(*y.shape)
    ts = [None if x is None else numbers(*x.shape) for x in xs]
    back = torch.autograd.grad(y, inputs, torch.tensor(u), allow_unused=True)
    jvp = torch.autograd.functional.jvp(of_given, inputs, tuple(torch.tensor(ts[i]) for i in given))[1]
    vjp = [None] * len(xs)
    for i, x, g in zip(given, inputs, back):
        vjp[i] = tensor(torch.zeros_like(x).detach() if g is None else g)
    line = {"op": op, "inputs": [tensor(x) for x in xs], "attrs": attrs, "cotangents": [tensor(u)],
            "tangents": [tensor(t) for t in ts],
            "expect": {"values": [tensor(y.detach())], "vjp": vjp, "jvp": [tensor(jvp.detach())]}, "rtol": rtol, "atol": 4 * rtol,
            "f32": True}
    if why:
        line["why"] = why
    lines.append(line)


def special(op, xs, attrs, values, why, **expect):
    """Values, and derivatives as vjp=[...], jvp=[...] of ones, written by hand."""
    line = {"op": op, "inputs": [tensor(x) for x in xs], "attrs": attrs, "expect": {"values": [tensor(values)]}, "rtol": 0,
            "atol": 0, "why": why}
    if "vjp" in expect:
        line["cotangents"] = [tensor(np.ones(np.shape(values)))]
        line["expect"]["vjp"] = [tensor(v) for v in expect["vjp"]]
    lines.append(line)


def bad(op, xs, attrs, error, why):
    lines.append({"op": op, "inputs": [tensor(x) for x in xs], "attrs": attrs, "expect": {"error": error}, "why": why})


def write(name):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), "w") as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
