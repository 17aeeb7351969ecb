#!/usr/bin/python3
"""Reference values of ctc_loss: every path is enumerated, collapsed and compared with the target, by torch in float64; its
own ctc_loss agrees in value (its gradient is another one: it takes log_probs to be normalised). Writes ctc.jsonl beside
this file."""
import itertools
import os

import numpy as np
import torch
import torch.nn.functional as F

from torch_cases import bad, case, lines, numbers, tensor, write

os.chdir(os.path.dirname(os.path.abspath(__file__)))
nan, inf = float("nan"), float("inf")


def spells(path, blank):
    return tuple(k for k, _ in itertools.groupby(path) if k != blank)


def loss(x, targets, steps, labels, blank=0, zero_infinity=False, reduction="mean"):
    """x: torch's [T, N, C]; the others: lists."""
    all_of = []
    for n, (t, s) in enumerate(zip(steps, labels)):
        target = tuple(targets[n][:s])
        paths = [p for p in itertools.product(range(x.shape[2]), repeat=t) if spells(p, blank) == target]
        if not paths:
            all_of.append((x[:, n] * 0).sum() + (0 if zero_infinity else inf))
            continue
        index = torch.tensor(paths).reshape(len(paths), t)
        terms = x[torch.arange(t), n, index].sum(1)
        finite = terms[terms > -inf]
        one = -torch.logsumexp(finite, 0) if len(finite) else (0 * x[:, n, 0]).nansum() + (0 if zero_infinity else inf)
        all_of.append(one)
    y = torch.stack(all_of)
    if reduction == "mean":
        return (y / torch.clamp(torch.tensor(labels), min=1)).mean()
    return y.sum() if reduction == "sum" else y


def of(x, targets, steps, labels, why=None, normal=True, dtype="int64", **attrs):
    x = torch.as_tensor(x)
    x = torch.log_softmax(x, 2).round(decimals=6) if normal else x
    integers = [np.asarray(v, dtype) for v in (targets, steps, labels)]
    case("ctc_loss", [x.numpy()] + [v.astype("int64") for v in integers], attrs,
         lambda x, *ignored: loss(x, targets, steps, labels, **attrs), why, atol=1e-13)
    if dtype != "int64":
        lines[-1]["inputs"][1:] = [tensor(v) for v in integers]
    if min(labels) > 0:
        own = F.ctc_loss(x, *[torch.tensor(v) for v in (targets, steps, labels)], attrs.get("blank", 0),
                         attrs.get("reduction", "mean"), attrs.get("zero_infinity", False))
        assert torch.allclose(own, loss(x, targets, steps, labels, **attrs)), (own, attrs)


for reduction in ("mean", "sum", "none"):
    of(numbers(5, 3, 3), [[1, 2], [2, 1], [1, 1]], [5, 4, 3], [2, 1, 2], reduction=reduction)
of(numbers(4, 2, 3), [[1, 2], [2, 2]], [4, 4], [2, 2])
of(numbers(6, 2, 2), [[1, 1, 1], [1, 1, 0]], [6, 5], [3, 2], "one label again and again")
of(numbers(4, 2, 3), [[0, 2], [2, 0]], [4, 3], [2, 2], "the blank in the middle", blank=1)
of(numbers(4, 2, 4), [[0, 2], [1, 0]], [4, 4], [2, 1], "the blank last", blank=3)
of(numbers(4, 2, 3), [[1, 2], [2, 1]], [4, 3], [1, 2], "log_probs that are no probabilities", normal=False)
of(numbers(3, 2, 3), [[1, 2], [2, 1]], [3, 2], [0, 0], "empty targets")
of(numbers(3, 2, 3), [[1], [2]], [3, 2], [0, 1], "an empty target among others", reduction="none")
of(numbers(3, 1, 3), [[1, 1]], [3], [2], "the one path that spells a repetition")
of(numbers(1, 1, 3), [[2]], [1], [1], "one step")
of(numbers(1, 1, 1), [[]], [1], [0], "the blank is all there is")
of(numbers(4, 2, 3), [[1, 2], [2, 1]], [4, 3], [2, 2], "int32", dtype="int32")
of(numbers(3, 3, 3), [[1, 2], [2, 2], [1, 2]], [3, 2, 1], [2, 2, 2], "impossible: zero_infinity", zero_infinity=True)
of(numbers(3, 3, 3), [[1, 2], [2, 2], [1, 2]], [3, 2, 1], [2, 2, 2], "impossible: zero_infinity", zero_infinity=True,
   reduction="none")
of(numbers(4, 1, 3) * 400, [[1, 2]], [4], [2], "probabilities far below the smallest number")
x = np.array(torch.log_softmax(torch.as_tensor(numbers(4, 1, 3)), 2).round(decimals=6))
x[1, 0, 0] = x[2, 0, 1] = -inf
of(x, [[1, 2]], [4], [2], "probabilities of 0", normal=False)


def exactly(x, targets, steps, labels, attrs, value, vjp, why):
    inputs = [tensor(np.asarray(x, "float64"))] + [tensor(np.asarray(v, "int64")) for v in (targets, steps, labels)]
    line = {"op": "ctc_loss", "inputs": inputs, "attrs": attrs, "f32": True, "rtol": 1e-13, "atol": 0, "why": why,
            "expect": {"values": [tensor(np.asarray(value, "float64"))]}}
    if vjp is not None:
        line["cotangents"] = [tensor(np.ones_like(np.asarray(value, "float64")))]
        line["expect"]["vjp"] = [tensor(np.asarray(vjp, "float64")), None, None, None]
    lines.append(line)


half = np.full((2, 1, 2), np.log(0.5))
exactly(half, [[1, 1]], [2], [2], {}, inf, np.zeros((2, 1, 2)), "impossible: a repetition takes three steps")
exactly(half, [[1, 1]], [2], [2], {"zero_infinity": True}, 0, np.zeros((2, 1, 2)), "impossible, as 0")
exactly(half, [[1, 1]], [0], [0], {}, 0, np.zeros((2, 1, 2)), "nothing in no steps is certain")
exactly(half, [[1, 1]], [0], [1], {}, inf, np.zeros((2, 1, 2)), "a label in no steps is impossible")
exactly(half, [[1, -1]], [2], [1], {}, -np.log(0.75), [[[-1 / 3, -2 / 3]], [[-1 / 3, -2 / 3]]], "three of four paths; what is behind the target is not read")
exactly(np.zeros((0, 1, 2)), np.zeros((1, 0)), [0], [0], {}, 0, np.zeros((0, 1, 2)), "no steps at all")
exactly(np.zeros((2, 0, 2)), np.zeros((0, 1)), [], [], {}, nan, None, "a mean over nothing")
exactly(np.zeros((2, 0, 2)), np.zeros((0, 1)), [], [], {"reduction": "sum"}, 0, np.zeros((2, 0, 2)), "a sum of nothing")

good = [numbers(4, 2, 3), np.array([[1, 2], [2, 1]]), np.array([4, 4]), np.array([2, 2])]


def wrong(i, value, error, why, **attrs):
    bad("ctc_loss", [*good[:i], value, *good[i + 1:]], attrs, error, why)


wrong(0, numbers(4, 3), "shape", "no batch axis")
wrong(1, np.array([1, 2]), "shape", "targets in one row")
wrong(1, np.array([[1, 2]]), "shape", "one target for two samples")
wrong(1, np.array([[1, 3], [2, 1]]), "index", "no such class")
wrong(1, np.array([[1, -1], [2, 1]]), "index", "a negative class")
wrong(1, np.array([[1, 0], [2, 1]]), "value", "the blank as a label")
wrong(1, np.array([[1.0, 2.0], [2.0, 1.0]]), "dtype", "targets are floats")
wrong(2, np.array([4]), "shape", "one length for two samples")
wrong(2, np.array([4, 5]), "value", "more steps than there are")
wrong(2, np.array([4, -1]), "value", "a negative length")
wrong(3, np.array([2, 3]), "value", "more labels than there are")
wrong(3, np.array([2, 2]), "index", "no such blank", blank=3)
wrong(3, np.array([2, 2]), "index", "a negative blank", blank=-1)
wrong(3, np.array([2, 2]), "value", "no such reduction", reduction="batchmean")
bad("ctc_loss", good[:3], {}, "shape", "target_lengths are missing")

write("ctc.jsonl")
