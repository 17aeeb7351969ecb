"""Cases whose values and derivatives torch computes in double precision; shared by the make_*.py scripts that need it."""
import json

import numpy as np
import torch

random = np.random.default_rng(20240612)
lines = []


def numbers(*shape, low=-2.0, high=2.0):
    return np.round(random.uniform(low, high, shape), 3)


def tensor(a):
    a = np.asarray(a)
    data = [("nan" if x != x else "inf" if x == np.inf else "-inf" if x == -np.inf else x) for x in a.ravel().tolist()]
    return {"dtype": str(a.dtype), "shape": list(a.shape), "data": data}


def outputs(f, xs):
    y = f(*xs)
    return [a.detach() if isinstance(a, torch.Tensor) else torch.as_tensor(a)
            for a in (y if isinstance(y, (list, tuple)) else [y])]


def is_real(a):
    return a.dtype == torch.float64


def case(op, xs, attrs, f, why=None, slope=None, f32=True, rtol=1e-13, atol=1e-14, gradient=True):
    """f of torch tensors; `slope` stands in for it where torch's own derivative is not the one wanted."""
    xs = [None if x is None else torch.as_tensor(np.asarray(x)) for x in xs]
    values = outputs(f, xs)
    line = {"op": op, "inputs": [None if x is None else tensor(x) for x in xs], "attrs": attrs}
    expect = {"values": [tensor(v) for v in values]}
    real = [i for i, x in enumerate(xs) if x is not None and is_real(x)]
    if gradient and real and any(is_real(v) for v in values):
        g = slope or f

        def flat(*some):
            full = list(xs)
            for i, x in zip(real, some):
                full[i] = x
            y = g(*full)
            return [a for a in (y if isinstance(y, (list, tuple)) else [y]) if is_real(a)]

        us = [torch.as_tensor(numbers(*v.shape)) if is_real(v) else None for v in values]
        ts = [torch.as_tensor(numbers(*x.shape)) if i in real else None for i, x in enumerate(xs)]
        leaves = [xs[i].clone().requires_grad_() for i in real]
        ys = flat(*leaves)
        vs = [torch.zeros_like(y, requires_grad=True) for y in ys]
        pulled = torch.autograd.grad(ys, leaves, vs, create_graph=True, allow_unused=True)
        pulled = [torch.zeros_like(x) * v0 if p is None else p for p, x, v0 in
                  zip(pulled, leaves, [vs[0].sum()] * len(leaves))]
        vjp = torch.autograd.grad(ys, leaves, [u for u in us if u is not None], retain_graph=True, allow_unused=True)
        vjp = [torch.zeros_like(x) if p is None else p for p, x in zip(vjp, leaves)]
        jvp = torch.autograd.grad(pulled, vs, [ts[i] for i in real], allow_unused=True)
        jvp = [torch.zeros_like(y) if p is None else p for p, y in zip(jvp, ys)]
        line.update(cotangents=[None if u is None else tensor(u) for u in us],
                    tangents=[None if t is None else tensor(t) for t in ts])
        vjp, jvp = list(vjp), list(jvp)
        expect.update(vjp=[tensor(vjp.pop(0).detach()) if i in real else None for i in range(len(xs))],
                      jvp=[tensor(jvp.pop(0).detach()) if is_real(v) else None for v in values])
    line["f32"] = bool(f32 and real)
    line.update(expect=expect, rtol=rtol, atol=atol)
    if why:
        line["why"] = why
    lines.append(line)


def special(op, xs, attrs, values, why, **expect):
    """Values, and derivatives as vjp=[...] of ones, written by hand."""
    line = {"op": op, "inputs": [tensor(x) for x in xs], "attrs": attrs, "expect": {"values": [tensor(values)]}, "rtol": 0,
            "atol": 0, "why": why}
    if "vjp" in expect:
        line["cotangents"] = [tensor(np.ones(np.shape(values)))]
        line["expect"]["vjp"] = [tensor(v) for v in expect["vjp"]]
    lines.append(line)


def bad(op, xs, attrs, error, why):
    inputs = [None if x is None else tensor(x) for x in xs]
    lines.append({"op": op, "inputs": inputs, "attrs": attrs, "expect": {"error": error}, "why": why})


def write(path):
    with open(path, "w") as file:
        for line in lines:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
