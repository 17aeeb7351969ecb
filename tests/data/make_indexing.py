#!/usr/bin/python3
"""Reference values of the indexing family, by torch: writes indexing.jsonl beside this file."""
import os

import numpy as np
import torch

from torch_cases import bad, case, numbers, random, write

inf, nan = np.inf, np.nan


def places(low, high, *shape, dtype="int64"):
    return random.integers(low, high, shape).astype(dtype)


def at(indices, size):
    """Counted from the front, as torch wants them."""
    return torch.where(indices < 0, indices + size, indices).long()


# ---- Taking -----------------------------------------------------------------------------------------------------------
def take(axis):
    def f(x, i):
        front = axis % x.dim()
        y = x.index_select(front, at(i, x.shape[front]).reshape(-1))
        return y.reshape(x.shape[:front] + i.shape + x.shape[front + 1:])
    return f


for shape, indices, axis in (((5, 3), places(-5, 5, 4), 0), ((2, 3, 2), places(-3, 3, 2, 3), 1), ((4,), places(0, 4), 0),
                             ((2, 3), places(0, 3, 7), -1), ((3, 2), places(0, 1, 0), 0), ((0, 3), places(0, 3, 2), 1),
                             ((5, 3), places(0, 5, 3, dtype="int32"), 0)):
    case("take", [numbers(*shape), indices], {"axis": axis}, take(axis), "what is taken twice gets both cotangents")
case("take", [np.arange(6).reshape(3, 2), places(0, 3, 2)], {"axis": 0}, take(0), "integers")
case("take", [np.array([True, False]), places(0, 2, 3)], {"axis": 0}, take(0), "booleans")
bad("take", [numbers(5, 3), np.array([0, 5])], {"axis": 0}, "index", "past the end")
bad("take", [numbers(5, 3), np.array([[0, -4]])], {"axis": 1}, "index", "before the start")
bad("take", [numbers(0, 3), np.array([0])], {"axis": 0}, "index", "nothing to take")
bad("take", [numbers(5), np.array([2**62])], {"axis": 0}, "index", "far past the end")
bad("take", [numbers(5), np.array([-2**63])], {"axis": 0}, "index", "the lowest index there is")
bad("take", [numbers(5), numbers(2)], {"axis": 0}, "dtype", "indices that are numbers")
bad("take", [numbers(5), np.array([True])], {"axis": 0}, "dtype", "indices that are booleans")
bad("take", [numbers(5), np.array([1])], {}, "attr", "no axis")
bad("take", [numbers(5), np.array([1])], {"axis": 1}, "shape", "no such axis")
bad("take", [numbers(), np.array([0])], {"axis": 0}, "shape", "0-d")
bad("take", [numbers(5)], {"axis": 0}, "shape", "no indices")
bad("take", [numbers(*[1] * 7), np.zeros((1, 1, 1), int)], {"axis": 0}, "shape", "more than 8 dimensions")

for shape, indices, axis in (((5, 3), places(-5, 5, 2, 3), 0), ((2, 3, 2), places(0, 3, 2, 4, 2), 1), ((4,), places(-4, 4, 6), -1),
                             ((3, 2), places(0, 2, 3, 0), 1), ((2, 2, 3), places(0, 3, 2, 2, 2, dtype="int32"), 2)):
    case("take_along_axis", [numbers(*shape), indices], {"axis": axis},
         lambda x, i: x.gather(axis, at(i, x.shape[axis])))
bad("take_along_axis", [numbers(2, 3), np.zeros((1, 3), int)], {"axis": 1}, "shape", "another size beside the axis")
bad("take_along_axis", [numbers(2, 3), np.zeros(3, int)], {"axis": 1}, "shape", "another rank")
bad("take_along_axis", [numbers(2, 3), np.array([[0], [3]])], {"axis": 1}, "index", "past the end")


def gather_nd(x, i):
    q = i.shape[-1]
    if not q:
        return x.expand(i.shape[:-1] + x.shape) * 1
    return x[tuple(at(i[..., k], x.shape[k]) for k in range(q))]


for shape, indices in (((5, 3), places(-3, 3, 4, 2)), ((2, 3, 2), places(0, 2, 2, 4, 1)), ((4, 2), places(0, 2, 2)),
                       ((3, 2), places(0, 1, 2, 0)), ((3, 2), places(0, 1, 0, 2)), ((2, 3, 2), places(-2, 2, 3, 3))):
    case("gather_nd", [numbers(*shape), indices], {}, gather_nd)
bad("gather_nd", [numbers(5, 3), np.array([[4, 3]])], {}, "index", "past the end")
bad("gather_nd", [numbers(5, 3), np.array([[0, 0, 0]])], {}, "shape", "more coordinates than axes")
bad("gather_nd", [numbers(5, 3), np.array(1)], {}, "shape", "no coordinates")

for shape, mask in (((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 3, 2), (3, 1)), ((2, 2), ()), ((0, 3), (3,)), ((2, 3), (1, 1))):
    case("masked_select", [numbers(*shape), places(0, 2, *mask).astype(bool)], {}, lambda x, m: x.masked_select(m))
case("masked_select", [np.arange(4), np.array([True, False, True, True])], {}, lambda x, m: x.masked_select(m))
case("masked_select", [[nan, 1, inf], np.array([False, True, False])], {}, lambda x, m: x.masked_select(m), "what is left out")
case("masked_select", [numbers(3), np.zeros(3, bool)], {}, lambda x, m: x.masked_select(m), "nothing")
bad("masked_select", [numbers(2, 3), np.zeros(2, bool)], {}, "shape", "does not broadcast")
bad("masked_select", [numbers(3), np.zeros((2, 3), bool)], {}, "shape", "a mask of more axes")
bad("masked_select", [numbers(3), np.zeros(3, int)], {}, "dtype", "a mask of integers")

for shape, indices, padding in (((5, 3), places(0, 5, 4), None), ((5, 3), np.array([[1, 2, 1], [0, 1, 4]]), 1),
                                ((5, 3), places(0, 5), None), ((5, 0), places(0, 5, 2), None), ((5, 3), places(0, 1, 0), 2)):
    case("embedding", [numbers(*shape), indices], {} if padding is None else {"padding_idx": padding},
         lambda w, i: w[i.reshape(-1)].reshape(i.shape + w.shape[1:]),
         slope=lambda w, i: (w * (torch.arange(len(w)) != (-1 if padding is None else padding))[:, None])
         [i.reshape(-1)].reshape(i.shape + w.shape[1:]), why="padding has its value, and gradient 0")
bad("embedding", [numbers(5, 3), np.array([5])], {}, "index", "past the end")
bad("embedding", [numbers(5, 3), np.array([-1])], {}, "index", "negative")
bad("embedding", [numbers(5), np.array([1])], {}, "shape", "not a matrix")
bad("embedding", [numbers(5, 3), np.array([1])], {"padding_idx": 5}, "index", "padding past the end")

for indices, n in ((places(0, 5, 2, 3), 5), (places(0, 2), 2), (places(0, 1, 0), 3), (places(0, 3, 4, dtype="int32"), 4)):
    case("one_hot", [indices], {"num_classes": n},
         lambda i: torch.as_tensor((np.arange(n) == i.numpy()[..., None]).astype("int64")))
bad("one_hot", [np.array([3])], {"num_classes": 3}, "index", "past the end")
bad("one_hot", [np.array([-1])], {"num_classes": 3}, "index", "negative")
bad("one_hot", [np.array([0])], {"num_classes": -1}, "value", "a negative size")
bad("one_hot", [np.array([0])], {}, "attr", "no size")
bad("one_hot", [numbers(2)], {"num_classes": 3}, "dtype", "numbers")

# ---- Putting and adding -----------------------------------------------------------------------------------------------
def put_last(flat, where, src):
    """src at the flat places, one by one: the last wins."""
    y = list(flat.reshape(-1).unbind()) if flat.numel() else []
    for k, i in enumerate(where.reshape(-1).tolist()):
        y[i] = src.reshape(-1)[k]
    return torch.stack(y).reshape(flat.shape) if y else flat * 1


def flat_places(x, i, axis):
    grid = torch.arange(x.numel()).reshape(x.shape)
    return grid.gather(axis, at(i, x.shape[axis]))


puts = (((5, 3), places(-5, 5, 2, 3), 0), ((2, 3, 2), np.array([[[0, 2], [0, -1], [2, 2], [0, 1]]] * 2), 1),
        ((4,), np.array([1, 1, -3, 3, 1]), -1), ((3, 2), places(0, 2, 3, 0), 1), ((2, 2), places(0, 2, 2, 3, dtype="int32"), 1))
for shape, indices, axis in puts:
    case("scatter", [numbers(*shape), indices, numbers(*indices.shape)], {"axis": axis},
         lambda x, i, s: put_last(x, flat_places(x, i, axis), s), "the last wins and takes the gradient")
    case("scatter_add", [numbers(*shape), indices, numbers(*indices.shape)], {"axis": axis},
         lambda x, i, s: x.scatter_add(axis, at(i, x.shape[axis]), s))
case("scatter", [np.arange(3), np.array([2, 2]), np.array([7, 8])], {"axis": 0}, lambda x, i, s: torch.tensor([0, 1, 8]), "integers")
for op in ("scatter", "scatter_add"):
    bad(op, [numbers(5, 3), np.zeros((2, 3), int), numbers(2, 2)], {"axis": 0}, "shape", "src of another shape")
    bad(op, [numbers(5, 3), np.zeros((2, 2), int), numbers(2, 2)], {"axis": 0}, "shape", "another size beside the axis")
    bad(op, [numbers(5, 3), np.full((1, 3), 5), numbers(1, 3)], {"axis": 0}, "index", "past the end")
    bad(op, [numbers(5), np.array([0]), np.float32([1])], {"axis": 0}, "dtype", "two kinds of float")

for shape, indices, axis in (((5, 3), places(-5, 5, 4), 0), ((2, 3, 2), np.array([1, 1, -1, 1]), 1), ((3,), places(0, 1, 0), 0)):
    src = shape[:axis] + indices.shape + shape[axis + 1:]
    case("index_add", [numbers(*shape), indices, numbers(*src)], {"axis": axis},
         lambda x, i, s: x.index_add(axis, at(i, x.shape[axis]), s))
bad("index_add", [numbers(5, 3), np.array([[0]]), numbers(1, 3)], {"axis": 0}, "shape", "indices not a vector")
bad("index_add", [numbers(5, 3), np.array([0, 1]), numbers(1, 3)], {"axis": 0}, "shape", "not one entry an index")
bad("index_add", [numbers(5, 3), np.array([5]), numbers(1, 3)], {"axis": 0}, "index", "past the end")


def index_put(accumulate):
    def f(x, *rest):
        where = torch.broadcast_tensors(*[at(i, x.shape[k]) for k, i in enumerate(rest[:-1])])
        grid = torch.arange(x.numel()).reshape(x.shape)[where]
        values = rest[-1].expand(grid.shape)
        return x.index_put(where, values, True) if accumulate else put_last(x, grid, values)
    return f


for shape, indices, values in (((5, 3), [places(-5, 5, 4)], (4, 3)), ((5, 3), [np.array([1, 1, 4])], (3,)),
                               ((5, 3), [np.array([1, 1, 4]), np.array([2, -1, 0])], (3,)),
                               ((5, 3), [places(0, 5, 2, 1), places(0, 3, 3)], (2, 3)), ((3, 2), [np.array(1)], ()),
                               ((2, 3, 2), [np.array([0, 0]), places(0, 3, 2, dtype="int32")], (1,)),
                               ((3, 2), [places(0, 1, 0)], (2,))):
    for accumulate in (False, True):
        case("index_put", [numbers(*shape), *indices, numbers(*values)], {"accumulate": accumulate}, index_put(accumulate))
bad("index_put", [numbers(3), np.array([0]), np.array([0]), numbers(1)], {}, "shape", "more indices than axes")
bad("index_put", [numbers(3), numbers(1)], {}, "shape", "no indices")
bad("index_put", [numbers(3), np.array([3]), numbers(1)], {}, "index", "past the end")
bad("index_put", [numbers(3), np.array([0]), numbers(2)], {}, "shape", "values that do not broadcast")
bad("index_put", [numbers(3, 3), np.array([0, 1]), np.array([0, 1, 2]), numbers(1)], {}, "shape", "indices that do not broadcast")
bad("index_put", [numbers(3), numbers(1), numbers(1)], {}, "dtype", "indices that are numbers")

# ---- Segments ---------------------------------------------------------------------------------------------------------
def segments(n, reduce):
    def f(x, ids):
        parts = [x[ids == s] for s in range(n)]
        return torch.stack([reduce(p) if len(p) else reduce(None) + x[:0].sum(0) for p in parts]) if n \
            else x[:0] * 1
    return f


def zero(): return torch.zeros((), dtype=torch.float64)


for shape, ids, n in (((6, 2), np.array([3, 0, 3, 1, 0, 3]), 4), ((5,), np.array([1, 1, 1, 0, 1], "int32"), 2),
                      ((3, 2, 2), np.array([2, 0, 2]), 3), ((0, 2), np.zeros(0, int), 2), ((3, 0), np.array([0, 1, 0]), 2)):
    x = numbers(*shape)
    attrs = {"num_segments": n}
    case("segment_sum", [x, ids], attrs, segments(n, lambda p: zero() if p is None else p.sum(0)))
    case("segment_mean", [x, ids], attrs, segments(n, lambda p: zero() if p is None else p.mean(0)))
    case("segment_max", [x, ids], attrs, segments(n, lambda p: zero() - inf if p is None else p.amax(0)))
case("segment_max", [[1, 1, 0, 2, 2, 2.0], np.array([0, 0, 0, 1, 1, 1])], {"num_segments": 2},
     segments(2, lambda p: p.amax(0)), "ties share evenly")
case("segment_max", [[1, nan, 0.0], np.array([0, 0, 1])], {"num_segments": 2}, segments(2, lambda p: p.amax(0)), "a NaN wins",
     gradient=False)
for op in ("segment_sum", "segment_mean", "segment_max"):
    bad(op, [numbers(3), np.array([0, 1, 2])], {"num_segments": 2}, "index", "past the end")
    bad(op, [numbers(3), np.array([0, -1, 0])], {"num_segments": 2}, "index", "negative")
    bad(op, [numbers(3), np.array([0, 1])], {"num_segments": 2}, "shape", "not one id a row")
    bad(op, [numbers(3), np.array([0, 0, 0])], {"num_segments": -1}, "value", "a negative number")

for x, w in ((np.array([3, 0, 3, 1]), None), (np.array([3, 0, 3, 1], "int32"), numbers(4)), (np.zeros(0, int), None),
             (np.zeros(0, int), numbers(0)), (np.array([1, 1, 1]), numbers(3))):
    def count(i, weights):
        n = int(i.max()) + 1 if len(i) else 0
        if weights is None:
            return torch.as_tensor(np.bincount(i.numpy()))
        return torch.zeros(n, dtype=weights.dtype).index_add(0, i.long(), weights)
    case("bincount", [x, w], {}, count)
bad("bincount", [np.array([0, -1]), None], {}, "index", "negative")
bad("bincount", [np.array([[0]]), None], {}, "shape", "not a vector")
bad("bincount", [np.array([0, 1]), numbers(3)], {}, "shape", "not one weight an entry")
bad("bincount", [np.array([2**62]), None], {}, "memory", "more bins than there is room for")

write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "indexing.jsonl"))
