#!/usr/bin/python3
"""Reference values of distances, angles, the losses of them and local response normalisation, by torch in float64:
writes distance.jsonl beside this file."""
import os

import numpy as np
import torch
import torch.nn.functional as F

from torch_cases import bad, case, lines, numbers, tensor, write

os.chdir(os.path.dirname(os.path.abspath(__file__)))
nan, inf = float("nan"), float("inf")


def norm(x, p, dim=-1):
    """torch's, but of a zero vector, and of ties for p = inf, with the derivatives of `norm` here."""
    return torch.linalg.vector_norm(x, 2.0 if p is None else float(p), dim)


def exactly(op, xs, attrs, values, vjp=None, us=None, why=None, rtol=1e-14):
    """What is known without torch."""
    line = {"op": op, "inputs": [tensor(x) for x in xs], "attrs": attrs, "f32": False, "rtol": rtol, "atol": 0, "why": why,
            "expect": {"values": [tensor(np.asarray(values, "float64"))]}}
    if vjp is not None:
        line["cotangents"] = [tensor(np.asarray(np.ones_like(values) if us is None else us, "float64"))]
        line["expect"]["vjp"] = [None if v is None else tensor(np.asarray(v, "float64")) for v in vjp]
    lines.append(line)


powers = (None, 1, 2, 3, 1.5, 7.25, "inf")
attr = lambda p: {} if p is None else {"p": p}

# ---- pairwise_distance ----
for p in powers:
    for a, b in (((3, 4), (3, 4)), ((2, 3, 5), (3, 5)), ((2, 1, 3), (4, 1)), ((40,), (40,))):
        case("pairwise_distance", [numbers(*a), numbers(*b)], attr(p), lambda a, b: norm(a - b, p), atol=1e-13)
    point = [[1.5, -2.0], [0.0, 3.0]]
    exactly("pairwise_distance", [point, point], attr(p), [0, 0], [np.zeros((2, 2)), np.zeros((2, 2))], why="coincident")
    exactly("pairwise_distance", [[[1e200, 0.0]], [[0.0, 1e200]]], attr(p),
            [1e200 * (1 if p == "inf" else 2 ** (1 / (p or 2)))], why="no overflow", rtol=1e-13)
    exactly("pairwise_distance", [[[1e-200, 0.0]], [[0.0, 1e-200]]], attr(p),
            [1e-200 * (1 if p == "inf" else 2 ** (1 / (p or 2)))], why="no underflow", rtol=1e-13)
exactly("pairwise_distance", [[[1e8, 1.0]], [[1e8, 1.0 + 1e-8]]], {}, [1.0 + 1e-8 - 1.0], why="nothing cancels")
exactly("pairwise_distance", [[[2.0, -2.0, 1.0]], [[0.0, 0.0, 0.0]]], {"p": "inf"}, [2], [[[0.5, -0.5, 0]], [[-0.5, 0.5, 0]]],
        why="the largest share evenly")
exactly("pairwise_distance", [[[nan, 0.0], [inf, 0.0]], [[0.0, 0.0], [0.0, 0.0]]], {}, [nan, inf], why="not finite")
exactly("pairwise_distance", [np.zeros((0, 3)), np.zeros((0, 3))], {}, np.zeros(0), [np.zeros((0, 3))] * 2, why="no vectors")
exactly("pairwise_distance", [np.zeros((2, 0)), np.zeros((2, 0))], {}, np.zeros(2), [np.zeros((2, 0))] * 2, why="of nothing")
bad("pairwise_distance", [numbers(3, 4), numbers(3, 3)], {}, "shape", "lengths differ")
bad("pairwise_distance", [numbers(), numbers()], {}, "shape", "0-d")
bad("pairwise_distance", [numbers(3), numbers(3)], {"p": 0.5}, "value", "p below 1")
bad("pairwise_distance", [numbers(3), numbers(3)], {"p": "nan"}, "value", "p is NaN")
bad("pairwise_distance", [numbers(3), numbers(3).astype("float32")], {}, "dtype", "mixed floats")

# ---- cdist ----
for p in powers:
    for a, b in (((3, 4), (2, 4)), ((2, 1, 3, 2), (4, 2, 2)), ((5, 40), (3, 40))):
        case("cdist", [numbers(*a), numbers(*b)], attr(p), lambda a, b: norm(a.unsqueeze(-2) - b.unsqueeze(-3), p), atol=1e-13)
    exactly("cdist", [[[1.0, 2.0]], [[1.0, 2.0], [1.0, 4.0]]], attr(p), [[0, 2]], [[[0, -1]], [[0, 0], [0, 1]]],
            why="one pair coincides")
exactly("cdist", [[[1e6, 1e6]], [[1e6, 1e6 + 2.0 ** -20]]], {}, [[2.0 ** -20]], [[[0, -1]], [[0, 1]]], why="nothing cancels")
exactly("cdist", [np.zeros((0, 3)), np.zeros((2, 3))], {}, np.zeros((0, 2)), [np.zeros((0, 3)), np.zeros((2, 3))], why="no vectors")
exactly("cdist", [np.zeros((3, 0)), np.zeros((2, 0))], {}, np.zeros((3, 2)), [np.zeros((3, 0)), np.zeros((2, 0))], why="of nothing")
bad("cdist", [numbers(3, 4), numbers(3, 3)], {}, "shape", "lengths differ")
bad("cdist", [numbers(3, 4), numbers(4)], {}, "shape", "a vector")
bad("cdist", [numbers(3, 2, 4), numbers(2, 2, 4)], {}, "shape", "leading axes differ")
bad("cdist", [numbers(3, 4), numbers(2, 4)], {"p": 0}, "value", "p below 1")

# ---- cosine_similarity ----
def cosine(axis=1, eps=1e-8):
    def f(a, b):
        a, b = torch.broadcast_tensors(a, b)
        n, m = norm(a, 2, axis), norm(b, 2, axis)
        return (a * b).sum(axis) / (torch.clamp(n, min=eps) * torch.clamp(m, min=eps))
    return f


for a, b, attrs in (((3, 4), (3, 4), {}), ((2, 3, 2), (2, 3, 2), {}), ((4,), (4,), {"axis": 0}), ((2, 1, 3), (5, 1), {"axis": -1}),
                    ((3, 4), (1, 4), {"eps": 2.5}), ((2, 3), (2, 3), {"axis": -2}), ((3, 4, 2), (4, 1), {"axis": 1}),
                    ((2, 40), (2, 40), {}), ((2, 3), (2, 3), {"eps": 0})):
    case("cosine_similarity", [numbers(*a), numbers(*b)], attrs, cosine(**attrs), atol=1e-13)
    if a == b:
        x = [torch.as_tensor(numbers(*s)) for s in (a, b)]
        assert torch.allclose(F.cosine_similarity(*x, attrs.get("axis", 1), attrs.get("eps", 1e-8)), cosine(**attrs)(*x))
exactly("cosine_similarity", [[[0.0, 0.0], [1.0, 2.0]], [[3.0, 4.0], [0.0, 0.0]]], {}, [0, 0], [np.zeros((2, 2))] * 2,
        why="a zero vector")
exactly("cosine_similarity", [[[0.0, 0.0]], [[0.0, 0.0]]], {"eps": 0}, [0], [np.zeros((1, 2))] * 2, why="zero vectors, no eps")
exactly("cosine_similarity", [[[3e200, 4e200]], [[1e-3, 0.0]]], {}, [0.6], why="no overflow")
exactly("cosine_similarity", [[[3e-200, 4e-200]], [[1.0, 0.0]]], {"eps": 0}, [0.6], why="no underflow")
exactly("cosine_similarity", [[[3e-10, 4e-10]], [[1.0, 0.0]]], {}, [3e-2], [[[1e8, 0]], [[0, 4e-2]]], why="below eps",
        rtol=1e-12)
exactly("cosine_similarity", [np.zeros((0, 3)), np.zeros((0, 3))], {}, np.zeros(0), [np.zeros((0, 3))] * 2, why="no vectors")
bad("cosine_similarity", [numbers(3), numbers(3)], {}, "shape", "no axis 1")
bad("cosine_similarity", [numbers(2, 3), numbers(2, 4)], {}, "shape", "lengths differ")
bad("cosine_similarity", [numbers(2, 3), numbers(2, 3)], {"eps": -1}, "value", "eps is negative")
bad("cosine_similarity", [numbers(2, 3), numbers(2, 3)], {"axis": 2}, "shape", "axis out of range")

# ---- triplet_margin_loss, cosine_embedding_loss ----
reduce = {"mean": torch.mean, "sum": torch.sum, "none": lambda x: x}


def triplet(p=2, margin=1.0, reduction="mean"):
    return lambda a, b, c: reduce[reduction](torch.relu(norm(a - b, p) - norm(a - c, p) + margin))


for shape, attrs in (((3, 4), {}), ((5, 3), {"p": 1}), ((4, 3), {"p": 3, "margin": 2, "reduction": "sum"}), ((4,), {"margin": 4}),
                     ((5, 3), {"p": "inf", "reduction": "none"}), ((2, 3, 2), {"p": 1.5, "reduction": "none"}),
                     ((6, 2), {"margin": 0})):
    case("triplet_margin_loss", [numbers(*shape) for _ in range(3)], attrs, triplet(**attrs), atol=1e-13)
exactly("triplet_margin_loss", [[[0.0, 0.0]], [[1.0, 0.0]], [[0.0, 2.0]]], {}, 0, [np.zeros((1, 2))] * 3, why="at the margin")
exactly("triplet_margin_loss", [[[1.0, 2.0]], [[1.0, 2.0]], [[1.0, 2.0]]], {}, 1, [np.zeros((1, 2))] * 3, why="all coincide")
exactly("triplet_margin_loss", [np.zeros((0, 3))] * 3, {}, nan, why="a mean over nothing")
exactly("triplet_margin_loss", [np.zeros((0, 3))] * 3, {"reduction": "sum"}, 0, why="a sum of nothing")
bad("triplet_margin_loss", [numbers(3, 4), numbers(3, 4), numbers(1, 4)], {}, "shape", "shapes are not broadcast")
bad("triplet_margin_loss", [numbers()] * 3, {}, "shape", "0-d")
bad("triplet_margin_loss", [numbers(3)] * 3, {"p": 0.5}, "value", "p below 1")
bad("triplet_margin_loss", [numbers(3)] * 3, {"reduction": "most"}, "value", "no such reduction")


def embedding(target, margin=0.0, reduction="mean"):
    t = torch.as_tensor(target)

    def f(a, b, *ignored):
        c = cosine(-1)(a, b)
        return reduce[reduction](torch.where(t > 0, 1 - c, torch.relu(c - margin)))
    return f


for shape, target, attrs in (((4, 3), [1, -1, 1, -1], {}), ((5, 2), [-1] * 5, {"margin": -0.5, "reduction": "sum"}),
                             ((4, 3), [-1, -1, 1, 1], {"margin": 0.3, "reduction": "none"}), ((3,), 1, {}), ((3,), -1, {"margin": -1})):
    for dtype in ("int64", "float64"):
        t = np.asarray(target, dtype)
        case("cosine_embedding_loss", [numbers(*shape), numbers(*shape), np.asarray(target, "int64")], attrs,
             embedding(target, **attrs), atol=1e-13, f32=dtype == "int64")
        lines[-1]["inputs"][2] = tensor(t)
x = [torch.as_tensor(numbers(4, 3)), torch.as_tensor(numbers(4, 3)), torch.tensor([1, -1, -1, 1])]
assert torch.allclose(F.cosine_embedding_loss(*x, margin=0.1), embedding(x[2], 0.1)(*x))
exactly("cosine_embedding_loss", [[[1.0, 0.0]], [[0.0, 1.0]], [-1.0]], {}, 0, [np.zeros((1, 2)), np.zeros((1, 2)), None],
        why="at the margin")
exactly("cosine_embedding_loss", [[[0.0, 0.0]], [[0.0, 1.0]], [1.0]], {}, 1, [np.zeros((1, 2)), np.zeros((1, 2)), None],
        why="a zero vector")
exactly("cosine_embedding_loss", [np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)], {}, nan, why="a mean over nothing")
bad("cosine_embedding_loss", [numbers(3, 4), numbers(3, 4), np.ones((3, 1))], {}, "shape", "a target of another rank")
bad("cosine_embedding_loss", [numbers(3, 4), numbers(1, 4), np.ones(3)], {}, "shape", "shapes are not broadcast")
bad("cosine_embedding_loss", [numbers(3, 4), numbers(3, 4), np.zeros(3)], {}, "value", "a target of 0")
bad("cosine_embedding_loss", [numbers(3, 4), numbers(3, 4)], {}, "shape", "the target is missing")

# ---- local_response_norm ----
for shape, attrs in (((2, 5, 3), {"size": 3}), ((1, 6, 2, 2), {"size": 4, "alpha": 1, "beta": 0.6, "k": 2}), ((2, 3, 2), {"size": 9}),
                     ((1, 2, 3), {"size": 1, "alpha": 0.7}), ((2, 7, 2), {"size": 5, "alpha": 3, "beta": 2, "k": 0.5}),
                     ((2, 4, 2), {"size": 2, "alpha": 1, "beta": 0})):
    case("local_response_norm", [numbers(*shape)], attrs, lambda x: F.local_response_norm(x, **attrs), atol=1e-13)
case("local_response_norm", [numbers(2, 4)], {"size": 3, "alpha": 1},
     lambda x: F.local_response_norm(x.unsqueeze(2), 3, 1).squeeze(2), "channels alone", atol=1e-13)
case("local_response_norm", [numbers(0, 4, 2)], {"size": 3}, lambda x: x * 1, "no images")
bad("local_response_norm", [numbers(2, 4, 2)], {}, "attr", "size is required")
bad("local_response_norm", [numbers(2, 4, 2)], {"size": 0}, "value", "no window")
bad("local_response_norm", [numbers(4)], {"size": 2}, "shape", "no channel axis")

write("distance.jsonl")
