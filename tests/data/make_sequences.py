#!/usr/bin/python3
"""Reference values of attention, rope and recurrent networks, by torch in float64: writes sequences.jsonl beside this file."""
import os

import numpy as np
import torch

from torch_cases import bad, case, numbers, write

os.chdir(os.path.dirname(os.path.abspath(__file__)))
inf = np.inf

# ---- scaled_dot_product_attention ----
def attention(causal=False, scale=None):
    """The formula itself; a row without keys is 0, which softmax would make NaN."""
    def f(q, k, v, mask=None):
        by = scale if scale is not None else q.shape[-1] ** -0.5 if q.shape[-1] else 1
        s = q @ k.transpose(-1, -2) * by
        keep = torch.ones(s.shape[-2:], dtype=torch.bool)
        if causal:
            keep = keep.tril()
        if mask is not None and mask.dtype == torch.bool:
            keep = keep & mask
        elif mask is not None:
            s = s + mask
        keep = keep & ~torch.isneginf(s.detach())
        none = ~keep.any(-1, keepdim=True)
        p = torch.softmax(torch.where(none, torch.zeros(()).double(), torch.where(keep, s, torch.tensor(-inf).double())), -1)
        return torch.where(none, torch.zeros(()).double(), p) @ v
    return f


def qkv(lead, l, s, e, v):
    return [numbers(*lead, l, e), numbers(*lead, s, e), numbers(*lead, s, v)]


op = "scaled_dot_product_attention"
for lead, l, s, e, v in (((), 3, 4, 2, 3), ((2,), 3, 3, 4, 4), ((2, 2), 2, 5, 3, 1), ((), 1, 1, 1, 1), ((1,), 6, 2, 2, 2)):
    for causal in (False, True):
        case(op, qkv(lead, l, s, e, v), {"is_causal": causal} if causal else {}, attention(causal), atol=1e-13)
case(op, qkv((2,), 3, 4, 2, 2), {"scale": 1.5}, attention(scale=1.5), "a scale", atol=1e-13)
case(op, qkv((2,), 3, 4, 2, 2), {"scale": 0}, attention(scale=0), "a mean", atol=1e-13)
case(op, qkv((2,), 3, 4, 2, 2) + [numbers(3, 4)], {}, attention(), "one mask of numbers for all heads", atol=1e-13)
case(op, qkv((2, 2), 3, 4, 2, 2) + [numbers(2, 1, 1, 4)], {"is_causal": True}, attention(True), "a mask a sample", atol=1e-13)
case(op, qkv((), 3, 4, 2, 2) + [numbers()], {}, attention(), "a 0-d mask", atol=1e-13)
keep = np.array([[True, False, True, True], [False, False, False, False], [True, True, False, False]])
case(op, qkv((2,), 3, 4, 2, 2) + [keep], {}, attention(), "a row without keys", atol=1e-13)
case(op, qkv((2,), 3, 4, 2, 2) + [keep[:, :1]], {}, attention(), "rows of all keys or none", atol=1e-13)
case(op, qkv((2,), 3, 4, 2, 2) + [keep[:1]], {"is_causal": True}, attention(True), "mask and causal", atol=1e-13)
case(op, qkv((), 3, 4, 2, 2) + [np.zeros((3, 4), bool)], {}, attention(), "nothing takes part", atol=1e-13)
case(op, qkv((), 3, 4, 2, 2) + [np.where(keep, 0.0, -inf)], {}, attention(), "the same by -inf", atol=1e-13)
case(op, [numbers(2, 1, 3, 2), numbers(3, 4, 2), numbers(1, 3, 4, 2)], {}, attention(), "heads broadcast", atol=1e-13)
for big in (1e2, 1e4):
    q, k, v = qkv((), 3, 4, 2, 2)
    case(op, [q * big, k, v], {"scale": 1}, attention(scale=1), f"scores of {big:g}", f32=False, atol=1e-9, rtol=1e-9)
case(op, qkv((), 2, 3, 2, 2) + [np.full((2, 3), -1e4)], {}, attention(), "all far down", f32=False, rtol=1e-10, atol=1e-10)
case(op, qkv((), 300, 1, 1, 1)[:1] + [numbers(2, 1), numbers(2, 1)], {}, attention(), "several blocks of rows", atol=1e-13)
case(op, [numbers(2, 1), numbers(600, 1), numbers(600, 1)], {}, attention(), "several blocks of keys", atol=1e-12, f32=False)
case(op, qkv((), 0, 4, 2, 2), {}, attention(), "no queries")
case(op, qkv((), 3, 0, 2, 2), {}, lambda q, k, v: torch.zeros(3, 2).double() + 0 * q.sum() + 0 * k.sum() + 0 * v.sum(), "no keys")
case(op, qkv((), 3, 4, 0, 2), {}, lambda q, k, v: v.mean(0) + 0 * (q @ k.T).sum() + torch.zeros(3, 1), "no width: a mean",
     atol=1e-14)
case(op, qkv((0,), 3, 4, 2, 2), {}, attention(), "no heads")
bad(op, [numbers(3, 2), numbers(4, 3), numbers(4, 2)], {}, "shape", "q and k differ in size")
bad(op, [numbers(3, 2), numbers(4, 2), numbers(5, 2)], {}, "shape", "not a value for each key")
bad(op, [numbers(2), numbers(4, 2), numbers(4, 2)], {}, "shape", "q is 1-D")
bad(op, [numbers(2, 3, 2), numbers(3, 4, 2), numbers(4, 2)], {}, "shape", "heads do not broadcast")
bad(op, qkv((), 3, 4, 2, 2) + [numbers(4, 4)], {}, "shape", "the mask does not fit")
bad(op, qkv((), 3, 4, 2, 2) + [numbers(2, 3, 4)], {}, "shape", "the mask has more heads")
bad(op, qkv((), 3, 4, 2, 2) + [np.ones((3, 4), "int64")], {}, "dtype", "a mask of integers")
bad(op, qkv((), 3, 4, 2, 2) + [np.ones((3, 4), "float32")], {}, "dtype", "a mask of the other float")
bad(op, qkv((), 3, 4, 2, 2)[:2], {}, "shape", "v is missing")

# ---- rope ----
def rope(base=10000.0, interleaved=False):
    def f(x, positions=None):
        t, d = x.shape[-2:]
        p = torch.arange(t).double() if positions is None else positions.double()
        angle = p[:, None] * base ** (-2 * torch.arange(d // 2).double() / max(d, 1))
        c, s = torch.cos(angle), torch.sin(angle)
        a, b = (x[..., 0::2], x[..., 1::2]) if interleaved else (x[..., :d // 2], x[..., d // 2:])
        y = a * c - b * s, a * s + b * c
        return torch.stack(y, -1).reshape(x.shape) if interleaved else torch.cat(y, -1)
    return f


for interleaved in (False, True):
    attrs = {"interleaved": True} if interleaved else {}
    case("rope", [numbers(3, 4)], attrs, rope(interleaved=interleaved), atol=1e-13)
    case("rope", [numbers(2, 3, 6), np.array([5, 0, -2])], attrs, rope(interleaved=interleaved), "integers", atol=1e-13)
    case("rope", [numbers(2, 3, 4), numbers(3)], attrs, rope(interleaved=interleaved), "positions with a gradient", atol=1e-13)
    case("rope", [numbers(2, 2, 4), np.array([7, 1000], "int32")], dict(attrs, base=50), rope(50.0, interleaved), "a base",
         atol=1e-12, f32=False)
case("rope", [numbers(0, 4)], {}, rope(), "no positions")
case("rope", [numbers(3, 0)], {}, rope(), "no pairs")
bad("rope", [numbers(3, 5)], {}, "shape", "no pairs of 5")
bad("rope", [numbers(4)], {}, "shape", "no axis of positions")
bad("rope", [numbers(3, 4), numbers(4)], {}, "shape", "4 positions for 3 rows")
bad("rope", [numbers(3, 4), numbers(1, 3)], {}, "shape", "positions are a vector")
bad("rope", [numbers(3, 4)], {"base": 0}, "value", "base is 0")
bad("rope", [numbers(3, 4), np.ones(3, bool)], {}, "dtype", "positions are truth values")

# ---- recurrent networks ----
def step(kind, relu=False):
    """One step from a state (h,) or (h, c) to the next."""
    def f(x, state, w_ih, w_hh, b_ih, b_hh):
        gi, gh = x @ w_ih, state[0] @ w_hh
        gi, gh = gi if b_ih is None else gi + b_ih, gh if b_hh is None else gh + b_hh
        if kind == "rnn":
            return (torch.relu(gi + gh) if relu else torch.tanh(gi + gh),)
        if kind == "lstm":
            i, f, g, o = (gi + gh).chunk(4, -1)
            c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
            return torch.sigmoid(o) * torch.tanh(c), c
        (ri, zi, ni), (rh, zh, nh) = gi.chunk(3, -1), gh.chunk(3, -1)
        z = torch.sigmoid(zi + zh)
        return ((1 - z) * torch.tanh(ni + torch.sigmoid(ri + rh) * nh) + z * state[0],)
    return f


def cell(kind, relu=False):
    n = 2 if kind == "lstm" else 1
    return lambda x, *rest: step(kind, relu)(x, rest[:n], *rest[n:])


def sequence(kind, relu=False):
    n = 2 if kind == "lstm" else 1

    def f(x, *rest):
        state, ys = rest[:n], []
        for t in range(x.shape[0]):
            state = step(kind, relu)(x[t], state, *rest[n:])
            ys.append(state[0])
        y = torch.stack(ys) if ys else torch.zeros(0, *rest[0].shape).double() + 0 * rest[0]
        return (y,) + tuple(s * 1 for s in state)
    return f


def operands(kind, x, h, scale=1.0, biases=(True, True)):
    columns = {"rnn": 1, "lstm": 4, "gru": 3}[kind] * h
    state = [numbers(x[-2], h) for _ in range(2 if kind == "lstm" else 1)]
    return [numbers(*x)] + state + [scale * numbers(x[-1], columns), scale * numbers(h, columns)] + [
        numbers(columns) if b else None for b in biases]


def agrees(kind, own):
    """torch's cell, whose weights are transposed, gives the same as the formula above."""
    xs = [torch.as_tensor(a) for a in operands(kind, (2, 3), 4)]
    n = 2 if kind == "lstm" else 1
    state = tuple(xs[1:1 + n]) if n > 1 else xs[1]
    ours, theirs = cell(kind)(*xs), own(xs[0], state, xs[1 + n].T, xs[2 + n].T, *xs[3 + n:])
    assert all(torch.allclose(a, b, rtol=1e-12) for a, b in zip(ours, theirs if n > 1 else [theirs]))


agrees("rnn", torch.rnn_tanh_cell)
agrees("lstm", torch.lstm_cell)
agrees("gru", torch.gru_cell)

for kind in ("rnn", "lstm", "gru"):
    one, several = kind + "_cell", kind
    for biases in ((True, True), (False, True), (True, False), (False, False)):
        case(one, operands(kind, (2, 3), 2, biases=biases), {}, cell(kind), atol=1e-12)
        case(several, operands(kind, (3, 2, 2), 2, biases=biases), {}, sequence(kind), atol=1e-12)
    case(several, operands(kind, (1, 1, 1), 1), {}, sequence(kind), "all of size 1", atol=1e-12)
    case(several, operands(kind, (5, 1, 2), 3, 0.5), {}, sequence(kind), "more steps", atol=1e-12, f32=False)
    case(several, operands(kind, (0, 2, 3), 2), {}, sequence(kind), "no steps")
    case(several, operands(kind, (2, 0, 3), 2), {}, sequence(kind), "no samples")
    case(several, operands(kind, (2, 2, 0), 2), {}, sequence(kind), "no inputs", atol=1e-12)
    case(one, operands(kind, (0, 3), 2), {}, cell(kind), "no samples")
    x = operands(kind, (2, 2), 2)
    bad(one, [numbers(3, 2, 2)] + x[1:], {}, "shape", "a sequence for a cell")
    bad(several, x, {}, "shape", "a step for a sequence")
    bad(one, [numbers(3, 2)] + x[1:], {}, "shape", "as many samples as states")
    bad(one, [numbers(2, 3)] + x[1:], {}, "shape", "inputs do not fit the weights")
    bad(one, x[:-1] + [numbers(5)], {}, "shape", "a bias of another size")
    bad(one, x[:-4], {}, "shape", "no weights")
case("rnn_cell", operands("rnn", (2, 3), 4), {"nonlinearity": "relu"}, cell("rnn", True), atol=1e-13)
case("rnn", operands("rnn", (3, 2, 3), 4), {"nonlinearity": "relu"}, sequence("rnn", True), atol=1e-12, f32=False)
case("rnn_cell", [np.zeros((1, 1))] * 2 + [np.ones((1, 1))] * 2 + [None, None], {"nonlinearity": "relu"}, cell("rnn", True), "relu at 0: 0")
bad("rnn_cell", operands("rnn", (2, 3), 4), {"nonlinearity": "sigmoid"}, "value", "an unknown nonlinearity")

write("sequences.jsonl")
