#!/usr/bin/env python3
"""The rows of `wengert bench ops` in PyTorch, eager: the same work on the same numbers, a JSON object a line."""
import argparse
import json
import math
import sys
import time

try:
    import torch
except ImportError:
    sys.exit("pytorch.py: PyTorch is not there (python3-torch)")
import torch.nn.functional as F

ARRAY, ROWS, SQUARE, HEADS = (16777216,), (8192, 1024), (1024, 1024), (4, 8, 256, 64)


def attention(q, k, v):
    return torch.softmax(q @ k.transpose(-1, -2) * 0.125, -1) @ v


# name, work, inputs and last the cotangent: shape, scale, number
WORKS = [
    ("chain", lambda x: torch.tanh(x * 1.5 + 0.25) * 0.75 - 0.5, [(ARRAY, 3, 0), (ARRAY, 1, 1)]),
    ("sum", torch.sum, [(ARRAY, 3, 0), None]),
    ("softmax", lambda x: torch.softmax(x, -1), [(ROWS, 4, 0), (ROWS, 1, 1)]),
    ("layer_norm", lambda x, w, b: F.layer_norm(x, (1024,), w, b),
     [(ROWS, 4, 0), ((1024,), 1, 2), ((1024,), 1, 3), (ROWS, 1, 1)]),
    ("matmul", torch.matmul, [(SQUARE, 1, 0), (SQUARE, 1, 1), (SQUARE, 1, 2)]),
    ("attention", attention, [(HEADS, 2, 0), (HEADS, 2, 1), (HEADS, 2, 2), (HEADS, 1, 3)]),
    ("conv2d", lambda x, w, b: F.conv2d(x, w, b, padding=1),
     [((16, 32, 32, 32), 1, 0), ((64, 32, 3, 3), 1, 1), ((64,), 1, 2), ((16, 64, 32, 32), 1, 3)]),
]


def numbers(shape, scale, k):
    h = (torch.arange(math.prod(shape), dtype=torch.int64) * 2654435761 + k * 2654435769) % 2**32
    return ((2 * h.double() / 2**32 - 1) * scale).float().reshape(shape)


def measure(row, run, budget):
    outputs = run()
    total = sum(float(t.detach().double().abs().sum()) for t in outputs)
    best, until = math.inf, time.monotonic() + budget
    while best == math.inf or time.monotonic() < until:
        start = time.monotonic()
        run()
        best = min(best, time.monotonic() - start)
    print(json.dumps({"bench": "ops", "impl": "pytorch", "mode": "eager", "row": row,
                      "threads": torch.get_num_threads(), "ms": round(best * 1e3, 4), "checksum": total}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="JSON lines, which is the only form there is")
    parser.add_argument("--rows", help="only rows that begin with one of these, PREFIX,PREFIX")
    parser.add_argument("--budget", type=float, default=0.12, help="seconds a row")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_known_args()[0]
    torch.set_num_threads(options.threads)
    prefixes = tuple(options.rows.split(",")) if options.rows else ("",)

    for name, work, inputs in WORKS:
        forward, both = (name, None) if name == "sum" else (name + "_fwd", name + "_fwd_bwd")
        if not any(row and row.startswith(prefixes) for row in (forward, both)):
            continue
        values = [numbers(*i) for i in inputs if i]
        if name == "sum":
            values[0].abs_()
        leaves, cotangent = values[:len(inputs) - 1], values[-1]

        def forward_only():
            with torch.no_grad():
                return [work(*leaves)]

        def forward_backward():
            y = work(*leaves)
            return [y, *torch.autograd.grad(y, leaves, cotangent)]

        if forward.startswith(prefixes):
            measure(forward, forward_only, options.budget)
        if both and both.startswith(prefixes):
            for leaf in leaves:
                leaf.requires_grad_()
            measure(both, forward_backward, options.budget)


main()
