#!/usr/bin/python3
"""Reference values of the shape family, by numpy: writes shape.jsonl beside this file.

Every operation here is linear but for pad's constant, so the derivatives need no rules: column e of the Jacobian is the
function of the e-th unit vector less the function of zeros. All numbers are sixteenths, so that every sum is exact and the
answers must agree to the last bit, in float32 too.
"""
import json
import os

import numpy as np

random = np.random.default_rng(20240611)
lines = []


def numbers(*shape):
    return random.integers(-99, 100, shape) / 16.0


def whole(dtype, *shape):
    return random.integers(0, 2 if dtype == "bool" else 50, shape).astype(dtype)


def tensor(a):
    a = np.asarray(a)
    data = [("nan" if x != x else "inf" if x == np.inf else "-inf" if x == -np.inf else x) for x in a.ravel().tolist()]
    return {"dtype": str(a.dtype), "shape": list(a.shape), "data": data}


def outputs(f, xs):
    y = f(*xs)
    return [np.asarray(a) for a in y] if isinstance(y, (list, tuple)) else [np.asarray(y)]


def derivatives(f, xs, us, ts):
    zeros = [np.zeros_like(x) for x in xs]
    base = outputs(f, zeros)
    jvp = [a - b for a, b in zip(outputs(f, ts), base)]
    vjp = []
    for i, x in enumerate(xs):
        back = np.zeros(x.size)
        for e in range(x.size):
            unit = [z.copy() for z in zeros]
            unit[i].reshape(-1)[e] = 1
            back[e] = sum(np.sum(u * (a - b)) for u, a, b in zip(us, outputs(f, unit), base))
        vjp.append(back.reshape(x.shape))
    return vjp, jvp


def case(op, xs, attrs, f, why=None):
    xs = [np.asarray(x) for x in xs]
    values = outputs(f, xs)
    line = {"op": op, "inputs": [tensor(x) for x in xs], "attrs": attrs}
    expect = {"values": [tensor(v) for v in values]}
    if all(x.dtype == np.float64 for x in xs):
        us, ts = [numbers(*v.shape) for v in values], [numbers(*x.shape) for x in xs]
        vjp, jvp = derivatives(f, xs, us, ts)
        line.update(cotangents=[tensor(u) for u in us], tangents=[tensor(t) for t in ts])
        expect.update(vjp=[tensor(v) for v in vjp], jvp=[tensor(v) for v in jvp])
        line["f32"] = True
    line.update(expect=expect, rtol=0, atol=0)
    if why:
        line["why"] = why
    lines.append(line)


def bad(op, xs, attrs, error, why):
    inputs = [tensor(x) for x in xs]
    lines.append({"op": op, "inputs": inputs, "attrs": attrs, "expect": {"error": error}, "why": why})


# ---- Other shapes of the same elements ----
for shape, new in (((2, 3, 4), [4, -1]), ((6,), [1, 2, 3]), ((), [1, 1]), ((1,), []), ((2, 0), [0, 3]), ((2, 3), [3, 2])):
    case("reshape", [numbers(*shape)], {"shape": new}, lambda x: x.reshape(new))
case("reshape", [whole("int64", 4)], {"shape": [2, 2]}, lambda x: x.reshape(2, 2), "integers")
case("reshape", [whole("bool", 4)], {"shape": [2, -1]}, lambda x: x.reshape(2, 2), "booleans")
bad("reshape", [numbers(6)], {"shape": [4]}, "shape", "another number of elements")
bad("reshape", [numbers(6)], {"shape": [4, -1]}, "shape", "does not divide")
bad("reshape", [numbers(6)], {"shape": [-1, -1]}, "shape", "two open sizes")
bad("reshape", [numbers(0)], {"shape": [0, -1]}, "shape", "-1 beside a 0")
bad("reshape", [numbers(6)], {"shape": [-2, -3]}, "value", "negative sizes")
bad("reshape", [numbers(6)], {"shape": [9223372036854775807, 2]}, "shape", "a product that overflows")
bad("reshape", [numbers(1)], {"shape": [1] * 9}, "shape", "more than 8 dimensions")
bad("reshape", [numbers(1)], {}, "attr", "no shape")

for shape, a, b in (((2, 3, 4), 0, -1), ((2, 3, 4), 1, -1), ((2, 3, 4), 0, -2), ((2, 3, 4), 1, 1), ((2, 0, 3), 1, 2)):
    first, last = a % len(shape), b % len(shape)
    new = shape[:first] + (int(np.prod(shape[first:last + 1])),) + shape[last + 1:]
    case("flatten", [numbers(*shape)], {"start_axis": a, "end_axis": b}, lambda x: x.reshape(new))
case("flatten", [numbers()], {}, lambda x: x.reshape(1), "0-d")
bad("flatten", [numbers(2, 3)], {"start_axis": 1, "end_axis": 0}, "shape", "ends before it starts")
bad("flatten", [numbers(2, 3)], {"start_axis": 2}, "shape", "no such axis")

case("unflatten", [numbers(2, 12)], {"axis": 1, "shape": [3, -1]}, lambda x: x.reshape(2, 3, 4))
case("unflatten", [numbers(6, 2)], {"axis": -2, "shape": [2, 3]}, lambda x: x.reshape(2, 3, 2))
case("unflatten", [numbers(2, 0)], {"axis": 1, "shape": [0, 3]}, lambda x: x.reshape(2, 0, 3))
bad("unflatten", [numbers(2, 5)], {"axis": 1, "shape": [2, 3]}, "shape", "another number of entries")
bad("unflatten", [numbers(*[1] * 8)], {"axis": 0, "shape": [1, 1]}, "shape", "more than 8 dimensions")

for shape, axis in (((2, 3), 1), ((2, 3), [0, -1]), ((2, 3), [2, 0]), ((), 0), ((0,), -1), ((2,), [])):
    case("expand_dims", [numbers(*shape)], {"axis": axis},
         lambda x: np.expand_dims(x, tuple(axis) if isinstance(axis, list) else axis))
bad("expand_dims", [numbers(2)], {"axis": 2}, "shape", "no such axis in the result")
bad("expand_dims", [numbers(2)], {"axis": [0, -3]}, "shape", "an axis given twice")
bad("expand_dims", [numbers(*[1] * 8)], {"axis": 0}, "shape", "more than 8 dimensions")

case("squeeze", [numbers(1, 3, 1)], {}, np.squeeze)
case("squeeze", [numbers(1, 3, 1)], {"axis": -1}, lambda x: np.squeeze(x, -1))
case("squeeze", [numbers(1, 3, 1)], {"axis": [2, 0]}, lambda x: np.squeeze(x, (0, 2)))
case("squeeze", [numbers()], {}, np.squeeze)
case("squeeze", [numbers(1, 0)], {}, np.squeeze)
bad("squeeze", [numbers(2, 1)], {"axis": [0, 1]}, "shape", "an axis of another size, all being named")
bad("squeeze", [numbers(2, 1)], {"axis": 2}, "shape", "no such axis")
case("contiguous", [numbers(2, 3)], {}, lambda x: x)
case("contiguous", [whole("bool", 3)], {}, lambda x: x)

# ---- Other orders of the axes ----
for shape, axes in (((2, 3, 4), [2, 0, 1]), ((2, 3, 4), [1, 2, 0]), ((2, 3), [-1, 0]), ((), []), ((2, 0, 3), [1, 2, 0])):
    case("permute_dims", [numbers(*shape)], {"axes": axes}, lambda x: np.transpose(x, axes))
case("permute_dims", [whole("int32", 2, 3)], {"axes": [1, 0]}, np.transpose)
bad("permute_dims", [numbers(2, 3)], {"axes": [0, 0]}, "shape", "an axis given twice")
bad("permute_dims", [numbers(2, 3)], {"axes": [0]}, "shape", "too few axes")
bad("permute_dims", [numbers(2, 3)], {"axes": []}, "shape", "no axes")
bad("permute_dims", [numbers(2, 3)], {"axes": [0, 2]}, "shape", "no such axis")
bad("permute_dims", [numbers(2, 3)], {}, "attr", "axes left out")
case("matrix_transpose", [numbers(2, 3)], {}, lambda x: np.swapaxes(x, -1, -2))
case("matrix_transpose", [numbers(2, 3, 4)], {}, lambda x: np.swapaxes(x, -1, -2))
bad("matrix_transpose", [numbers(3)], {}, "shape", "a vector")
case("swapaxes", [numbers(2, 3, 4)], {"axis1": 0, "axis2": -1}, lambda x: np.swapaxes(x, 0, -1))
case("swapaxes", [numbers(2, 3)], {"axis1": 1, "axis2": 1}, lambda x: x)
bad("swapaxes", [numbers()], {"axis1": 0, "axis2": 0}, "shape", "0-d")
for a, b in ((0, -1), ([0, 1], [-1, 0]), ([2, 0, 1], [0, 1, 2])):
    case("moveaxis", [numbers(2, 3, 4)], {"source": a, "destination": b}, lambda x: np.moveaxis(x, a, b))
bad("moveaxis", [numbers(2, 3)], {"source": [0, 1], "destination": [0]}, "shape", "lists of two lengths")
bad("moveaxis", [numbers(2, 3)], {"source": [0, 1], "destination": [1, -1]}, "shape", "a place given twice")

# ---- Parts and windows ----
for shape, new in (((3, 1), [2, 3, 4]), ((), [2]), ((2,), [2]), ((1,), [0]), ((3,), [0, 3]), ((1, 1, 2), [2, 3, 2])):
    case("broadcast_to", [numbers(*shape)], {"shape": new}, lambda x: np.broadcast_to(x, new))
bad("broadcast_to", [numbers(3)], {"shape": [4]}, "shape", "another size")
bad("broadcast_to", [numbers(2, 3)], {"shape": [3]}, "shape", "fewer dimensions")
bad("broadcast_to", [numbers(1)], {"shape": [-1]}, "value", "a negative size")
bad("broadcast_to", [numbers(1)], {"shape": [4611686018427387904, 4]}, "memory", "a product that overflows")
case("flip", [numbers(2, 3)], {}, np.flip)
case("flip", [numbers(2, 3)], {"axis": 1}, lambda x: np.flip(x, 1))
case("flip", [numbers(2, 3, 2)], {"axis": [0, -1]}, lambda x: np.flip(x, (0, 2)))
case("flip", [numbers()], {}, np.flip)
case("flip", [numbers(0, 2)], {}, np.flip)
bad("flip", [numbers(2)], {"axis": [0, 0]}, "shape", "an axis given twice")

big = 2**63 - 1
for shape, start, stop, step in (((5, 4), [1, 0], [4, -1], [2, 1]), ((6,), [4], [0], [-2]), ((6,), [-1], [-7], [-1]),
                                 ((6,), [-100], [100], [4]), ((6,), [100], [-100], [-4]), ((3,), [2], [1], [1]),
                                 ((3,), [0], [3], [big]), ((3,), [2], [-9], [-big]), ((5,), [big], [-big], [-1]),
                                 ((0, 3), [0, 1], [5, 9], [1, 1]), ((), [], [], []), ((4, 3), [-3, 2], [-1, -4], [1, -1])):
    cut = tuple(slice(*s) for s in zip(start, stop, step))
    case("slice", [numbers(*shape)], {"start": start, "stop": stop, "step": step}, lambda x: x[cut])
case("slice", [whole("int64", 5)], {"start": [1], "stop": [4], "step": [2]}, lambda x: x[1:4:2])
bad("slice", [numbers(3)], {"start": [0], "stop": [3], "step": [0]}, "value", "a step of 0")
bad("slice", [numbers(3)], {"start": [0, 0], "stop": [3, 3], "step": [1, 1]}, "shape", "more slices than axes")

for shape, axis, index in (((2, 3, 4), 1, 2), ((2, 3), -1, -3), ((3,), 0, 1), ((2, 0), 0, 1)):
    case("select", [numbers(*shape)], {"axis": axis, "index": index}, lambda x: np.take(x, index, axis))
bad("select", [numbers(2, 3)], {"axis": 1, "index": 3}, "index", "past the end")
bad("select", [numbers(2, 3)], {"axis": 1, "index": -4}, "index", "before the start")
bad("select", [numbers(0)], {"axis": 0, "index": 0}, "index", "nothing to select")
bad("select", [numbers()], {"axis": 0, "index": 0}, "shape", "0-d")
case("narrow", [numbers(2, 5)], {"axis": 1, "start": 1, "length": 3}, lambda x: x[:, 1:4])
case("narrow", [numbers(4, 2)], {"axis": 0, "start": -2, "length": 2}, lambda x: x[2:])
case("narrow", [numbers(3)], {"axis": 0, "start": 3, "length": 0}, lambda x: x[3:])
bad("narrow", [numbers(3)], {"axis": 0, "start": 2, "length": 2}, "index", "past the end")
bad("narrow", [numbers(3)], {"axis": 0, "start": 1, "length": big}, "index", "a sum that overflows")
bad("narrow", [numbers(3)], {"axis": 0, "start": 0, "length": -1}, "value", "a negative length")

for shape, k in (((3, 3), 0), ((2, 3, 4), 1), ((4, 3), -2), ((2, 2), 5), ((0, 3), 0), ((2, 2), -big)):
    case("diagonal", [numbers(*shape)], {"offset": k},
         lambda x: np.diagonal(x, max(min(k, 9), -9), -2, -1))
bad("diagonal", [numbers(3)], {}, "shape", "a vector")


def unfolded(x, axis, size, step):
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis)
    return np.take(windows, range(0, windows.shape[axis], step), axis)


for shape, axis, size, step in (((7,), 0, 3, 2), ((2, 5, 3), 1, 2, 1), ((4,), 0, 4, 9), ((3, 6), -1, 2, 3), ((0, 3), 1, 2, 1)):
    case("unfold", [numbers(*shape)], {"axis": axis, "size": size, "step": step},
         lambda x: unfolded(x, axis % len(shape), size, step), "entries in several windows get all their cotangents")
bad("unfold", [numbers(3)], {"axis": 0, "size": 4, "step": 1}, "shape", "windows that do not fit")
bad("unfold", [numbers(3)], {"axis": 0, "size": 2, "step": 0}, "value", "a step of 0")

# ---- Joining and splitting ----
case("concat", [numbers(2, 3), numbers(1, 3)], {}, lambda *x: np.concatenate(x))
case("concat", [numbers(2, 3), numbers(2, 1), numbers(2, 2)], {"axis": -1}, lambda *x: np.concatenate(x, -1))
case("concat", [numbers(2, 0), numbers(2, 3)], {"axis": 1}, lambda *x: np.concatenate(x, 1))
case("concat", [numbers(3)], {}, lambda *x: np.concatenate(x))
case("concat", [whole("bool", 2), whole("bool", 3)], {}, lambda *x: np.concatenate(x))
bad("concat", [numbers(2, 3), numbers(2, 4)], {}, "shape", "another size beside the axis")
bad("concat", [numbers(2), numbers(2, 1)], {}, "shape", "another rank")
bad("concat", [numbers(), numbers()], {}, "shape", "0-d")
bad("concat", [], {}, "shape", "nothing")
bad("concat", [numbers(2), whole("int64", 2)], {}, "dtype", "two dtypes")
case("stack", [numbers(2, 3), numbers(2, 3)], {}, lambda *x: np.stack(x))
case("stack", [numbers(2, 3), numbers(2, 3), numbers(2, 3)], {"axis": 1}, lambda *x: np.stack(x, 1))
case("stack", [numbers(2), numbers(2)], {"axis": -1}, lambda *x: np.stack(x, -1))
case("stack", [numbers(), numbers()], {}, lambda *x: np.stack(x), "0-d")
bad("stack", [numbers(2), numbers(3)], {}, "shape", "two shapes")
bad("stack", [numbers(2)], {"axis": 2}, "shape", "no such axis in the result")
case("unstack", [numbers(2, 3)], {}, lambda x: list(x))
case("unstack", [numbers(2, 3)], {"axis": -1}, lambda x: list(x.T))
case("unstack", [numbers(2, 4, 3)], {"axis": 1}, lambda x: list(np.moveaxis(x, 1, 0)))
case("unstack", [numbers(9)], {}, lambda x: list(x), "more outputs than an entry names")
bad("unstack", [numbers()], {}, "shape", "0-d")
case("split", [numbers(5, 2)], {"axis": 0, "sizes": [2, 3]}, lambda x: np.split(x, [2]))
case("split", [numbers(2, 4)], {"axis": -1, "sizes": [1, 0, 3]}, lambda x: np.split(x, [1, 1], 1))
case("split", [numbers(10)], {"axis": 0, "sizes": [1] * 10}, lambda x: np.split(x, 10), "a list longer than any shape")
bad("split", [numbers(5)], {"axis": 0, "sizes": [2, 2]}, "shape", "sizes that are too few")
bad("split", [numbers(5)], {"axis": 0, "sizes": [2, 4]}, "shape", "sizes that are too many")
bad("split", [numbers(5)], {"axis": 0, "sizes": [-1, 6]}, "value", "a negative size")
for indexing in ("xy", "ij"):
    case("meshgrid", [numbers(2), numbers(3)], {"indexing": indexing}, lambda *x: np.meshgrid(*x, indexing=indexing))
    case("meshgrid", [numbers(2), numbers(3), numbers(2)], {"indexing": indexing},
         lambda *x: np.meshgrid(*x, indexing=indexing))
    case("meshgrid", [numbers(3)], {"indexing": indexing}, lambda *x: np.meshgrid(*x, indexing=indexing))
bad("meshgrid", [numbers(2, 2)], {}, "shape", "a matrix")
bad("meshgrid", [numbers(2)], {"indexing": "yx"}, "value", "an unknown word")


# ---- Rearranging ----
def continued(x, width, mode, value=0.0):
    """np.pad, but that reflect and wrap go on with their period (numpy before 1.25 does not)."""
    for axis, (before, after) in enumerate(width):
        n = x.shape[axis]
        i = np.arange(-before, n + after)
        if mode == "constant":
            return np.pad(x, width, constant_values=value)
        if mode == "edge":
            i = np.clip(i, 0, n - 1)
        elif mode == "wrap":
            i = i % n
        else:
            i = i % (2 * n - 2) if n > 1 else 0 * i
            i = np.where(i < n, i, 2 * n - 2 - i)
        x = np.take(x, i, axis)
    return x


case("pad", [numbers(2, 3)], {"pad_width": [[1, 2], [0, 1]], "value": 7}, lambda x: continued(x, [[1, 2], [0, 1]], "constant", 7))
case("pad", [numbers()], {"pad_width": []}, lambda x: x)
case("pad", [numbers(0, 2)], {"pad_width": [[1, 1], [0, 0]]}, lambda x: continued(x, [[1, 1], [0, 0]], "constant"))
case("pad", [whole("int64", 2)], {"pad_width": [[1, 1]], "value": 3}, lambda x: np.pad(x, 1, constant_values=3))
for mode in ("reflect", "edge", "wrap"):
    for shape, width in (((4,), [[2, 3]]), ((3,), [[11, 12]]), ((1,), [[2, 3]]), ((2,), [[3, 4]]),
                         ((2, 3), [[1, 1], [2, 4]]), ((2, 3, 2), [[3, 0], [0, 0], [1, 5]]), ((2, 0), [[1, 1], [0, 0]])):
        case("pad", [numbers(*shape)], {"pad_width": width, "mode": mode}, lambda x: continued(x, width, mode))
    bad("pad", [numbers(0)], {"pad_width": [[1, 0]], "mode": mode}, "shape", "nothing to continue")
bad("pad", [numbers(2, 3)], {"pad_width": [[1, 1]]}, "shape", "too few pairs")
bad("pad", [numbers(3)], {"pad_width": [[1, 1], [1, 1]]}, "shape", "too many pairs")
bad("pad", [numbers(3)], {"pad_width": [[-1, 1]]}, "value", "a negative width")
bad("pad", [numbers(3)], {"pad_width": [[1, 1]], "mode": "mirror"}, "value", "an unknown mode")
bad("pad", [numbers(3)], {"pad_width": [[big, 1]]}, "memory", "a sum that overflows")

case("roll", [numbers(2, 3)], {"shift": 1}, lambda x: np.roll(x, 1), "flattened")
case("roll", [numbers(2, 3)], {"shift": -4, "axis": 1}, lambda x: np.roll(x, -4, 1))
case("roll", [numbers(2, 3, 2)], {"shift": [1, 2], "axis": [0, -2]}, lambda x: np.roll(x, [1, 2], [0, 1]))
case("roll", [numbers(2, 3, 2)], {"shift": [2, 1], "axis": [1, 0]}, lambda x: np.roll(x, [2, 1], [1, 0]), "axes out of order")
case("roll", [numbers(3)], {"shift": big, "axis": 0}, lambda x: np.roll(x, big % 3, 0))
case("roll", [numbers()], {"shift": 3}, lambda x: x, "0-d")
case("roll", [numbers(0, 2)], {"shift": 1, "axis": 0}, lambda x: x)
bad("roll", [numbers(2, 3)], {"shift": [1, 2], "axis": [0]}, "shape", "lists of two lengths")
bad("roll", [numbers(2, 3)], {"shift": [1, 2], "axis": [0, 0]}, "shape", "an axis given twice")
for shape, repetitions in (((2, 3), [2, 1]), ((3,), [2, 2]), ((2, 1, 2), [3]), ((), [2]), ((2,), [0]), ((2, 2), [2, 3])):
    case("tile", [numbers(*shape)], {"repetitions": repetitions}, lambda x: np.tile(x, repetitions))
bad("tile", [numbers(2)], {"repetitions": [-1]}, "value", "a negative number")
bad("tile", [numbers(4)], {"repetitions": [big]}, "memory", "a product that overflows")
for shape, repeats, axis in (((2, 3), [2, 0, 1], 1), ((2, 3), 3, 0), ((2, 3), 2, None), ((2, 2), [1, 0, 2, 3], None),
                             ((), 2, None), ((2, 2), 0, 0), ((0, 2), 2, 0), ((10,), list(range(10)), 0), ((3, 2), 2, -1)):
    case("repeat", [numbers(*shape)], {"repeats": repeats} if axis is None else {"repeats": repeats, "axis": axis},
         lambda x: np.repeat(x, repeats, axis))
bad("repeat", [numbers(3)], {"repeats": [1, 2], "axis": 0}, "shape", "a list of another length")
bad("repeat", [numbers(3)], {"repeats": -1}, "value", "a negative number")

# ---- Diagonals and triangles ----
for shape, k in (((3,), 0), ((2,), 1), ((2,), -2), ((3, 3), 0), ((2, 4), 1), ((3, 2), -1), ((2, 2), 4), ((0,), 0), ((0, 2), 0)):
    case("diag", [numbers(*shape)], {"k": k}, lambda x: np.diag(x, k))
bad("diag", [numbers()], {}, "shape", "0-d")
bad("diag", [numbers(2, 2, 2)], {}, "shape", "three axes")
for shape in ((3, 3), (4, 2, 3), (0, 3), (2, 0, 0), (4, 1)):
    case("trace", [numbers(*shape)], {}, lambda x: np.trace(x, axis1=-2, axis2=-1))
bad("trace", [numbers(3)], {}, "shape", "a vector")
bad("trace", [whole("int64", 2, 2)], {}, "dtype", "integers")
for op, f in (("tril", np.tril), ("triu", np.triu)):
    for shape, k in (((3, 3), 0), ((2, 3, 4), 1), ((3, 2), -1), ((2, 2), 9), ((2, 2), -9), ((0, 2), 0)):
        case(op, [numbers(*shape)], {"k": k}, lambda x: f(x, k))
    case(op, [numbers(2, 3)], {"k": big}, lambda x: f(x, 9))
    case(op, [numbers(2, 3)], {"k": -big}, lambda x: f(x, -9))
    bad(op, [numbers(3)], {}, "shape", "a vector")
case("tril", [np.array([[1.0, np.nan], [2.0, 3.0]])], {}, lambda x: np.where(np.tri(2) > 0, x, 0.0),
     "a NaN that is left out stays out")
case("triu", [np.array([[1.0, 2.0], [np.inf, 3.0]])], {}, lambda x: np.where(np.tri(2).T > 0, x, 0.0),
     "an infinity that is left out stays out")

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "shape.jsonl"), "w") as file:
    for line in lines:
        file.write(json.dumps(line) + "\n")
