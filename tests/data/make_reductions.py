#!/usr/bin/python3
"""Reference values of reductions, scans, order and softmax, by torch: writes reductions.jsonl beside this file.

Where torch has another convention at a tie or a zero, the wanted derivative is that of another torch expression.
"""
import os

import numpy as np
import torch

from torch_cases import bad, case, numbers, write

inf, nan = np.inf, np.nan
shapes = (((2, 3, 2), None, None), ((2, 3, 2), [0, -1], None), ((2, 3, 2), 1, True), ((2, 2, 1, 2), [1, 3], None),
          ((), None, None), ((1, 3, 1), [0, 1], None))
more_shapes = shapes + (((3, 2, 2, 2), [0, 2], True), ((40,), 0, None), ((2, 37), -1, None), ((37, 2), 0, None))


def attributes(axis, keepdims, **more):
    attrs = dict(more)
    if axis is not None:
        attrs["axis"] = axis
    if keepdims is not None:
        attrs["keepdims"] = keepdims
    return attrs


def axes(x, axis):
    if axis is None:
        return tuple(range(x.dim()))
    return tuple(a % x.dim() for a in (axis if isinstance(axis, list) else [axis]))


def over(f):
    """f(x, dims, keepdim) of torch, for no dimensions too."""
    def reduced(axis, keep):
        return lambda x: f(x, axes(x, axis), bool(keep)) if x.dim() else f(x.reshape(1), (0,), False)
    return reduced


def rows(x, dims):
    """The reduced dimensions as one, the last."""
    rest = [i for i in range(x.dim()) if i not in dims]
    return x.permute(rest + list(dims)).reshape([x.shape[i] for i in rest] + [-1])


def kept(x, y, dims, keep):
    return y.reshape([1 if i in dims else n for i, n in enumerate(x.shape)]) if keep else y


def of_rows(f):
    return over(lambda x, dims, keep: kept(x, f(rows(x, dims)), dims, keep))


# ---- Reductions -------------------------------------------------------------------------------------------------------
plain = {
    "sum": over(lambda x, d, k: x.sum(d, k)),
    "mean": over(lambda x, d, k: x.mean(d, k)),
    "prod": of_rows(lambda r: r.prod(-1)),
    "nansum": over(lambda x, d, k: torch.nansum(x, d, k)),
    "nanmean": over(lambda x, d, k: torch.nanmean(x, d, k)),
    "max": over(lambda x, d, k: torch.amax(x, d, k)),
    "min": over(lambda x, d, k: torch.amin(x, d, k)),
    "amax": over(lambda x, d, k: torch.amax(x, d, k)),
    "amin": over(lambda x, d, k: torch.amin(x, d, k)),
    "logsumexp": over(lambda x, d, k: torch.logsumexp(x, d, k)),
}
for op, f in plain.items():
    for shape, axis, keep in more_shapes if op in ("sum", "max", "prod", "logsumexp") else shapes:
        case(op, [numbers(*shape)], attributes(axis, keep), f(axis, keep), atol=1e-13)

zero = [[0, 2, 3], [0, 0, 4], [1, -0.0, 5], [7, 8, 9]]
case("prod", [zero], {"axis": 1}, plain["prod"](1, None), "none, one, two zeros among the factors")
case("prod", [numbers(0)], {}, lambda x: x.prod(), "of nothing")
case("prod", [[1e200, 1e-200, 1e200, 1e-200]], {}, lambda x: x.prod(), "in order no product overflows", f32=False)
for op, value in (("sum", 0), ("nansum", 0), ("mean", nan), ("nanmean", nan), ("logsumexp", -inf), ("norm", 0), ("var", nan),
                  ("std", nan)):
    case(op, [numbers(0)], {}, lambda x: torch.full((), float(value), dtype=x.dtype), "of nothing", gradient=False)
    case(op, [numbers(2, 0, 3)], {"axis": 1}, lambda x: torch.full((2, 3), float(value), dtype=x.dtype), "of nothing",
         gradient=False)
    case(op, [numbers(2, 0, 3)], {"axis": 0}, lambda x: x.sum(0), "no result at all")
for op in ("max", "min", "amax", "amin", "argmax", "argmin", "median"):
    bad(op, [numbers(0)], {}, "shape", "of nothing")
    bad(op, [numbers(2, 0)], {"axis": 1}, "shape", "of nothing")
    bad(op, [numbers(2)], {"axis": 1}, "shape", "no such axis")
bad("quantile", [numbers(0)], {"q": 0.5}, "shape", "of nothing")
case("max", [numbers(2, 0)], {"axis": 0}, lambda x: torch.amax(x, 0), "no result at all")
for op in ("sum", "mean", "logsumexp", "norm", "var"):
    bad(op, [numbers(2, 3)], {"axis": 2}, "shape", "no such axis")
    bad(op, [numbers(2, 3)], {"axis": [0, -2]}, "shape", "an axis given twice")
    bad(op, [np.arange(3)], {}, "dtype", "integers")
bad("sum", [numbers(2)], {"axes": 0}, "attr", "another name")
bad("sum", [numbers(2)], {"keepdims": 1}, "attr", "not a truth value")

tied = [[2, 1, 2], [3, 3, 3], [-inf, -inf, -inf], [0.0, -0.0, -1]]
for op in ("max", "amax"):
    case(op, [tied], {"axis": 1}, lambda x: torch.amax(x, 1), "ties share evenly")
for op in ("min", "amin"):
    case(op, [-np.asarray(tied)], {"axis": 1}, lambda x: torch.amin(x, 1), "ties share evenly")
holes = [[nan, 1, 2], [1, nan, nan], [3, 2, 1]]
for op in ("max", "min", "sum", "mean", "prod", "logsumexp", "var", "norm"):
    case(op, [holes], {"axis": 1}, lambda x: {"max": torch.amax, "min": torch.amin, "sum": torch.sum, "mean": torch.mean,
                                              "prod": torch.prod, "logsumexp": torch.logsumexp,
                                              "var": lambda y, a: torch.var(y, a, unbiased=False),
                                              "norm": lambda y, a: torch.linalg.vector_norm(y, 2, a)}[op](x, 1),
         "a NaN wins", gradient=False)
case("nansum", [holes], {"axis": 1}, lambda x: torch.nansum(x, 1), "NaNs are left out")
case("nanmean", [holes], {"axis": 1}, lambda x: torch.nanmean(x, 1), "NaNs are left out")
case("nansum", [[nan, nan]], {}, lambda x: torch.nansum(x), "NaNs alone")
case("nanmean", [[nan, nan]], {}, lambda x: torch.nanmean(x), "NaNs alone", gradient=False)

low = [[-inf, -inf, -inf], [0, -inf, -1], [1000, 999, 998], [-1000, -1001, -1002]]
case("logsumexp", [low], {"axis": 1}, lambda x: torch.logsumexp(x, 1), "no overflow; -inf alone has gradient 0",
     slope=lambda x: torch.logsumexp(x[1:], 1).reshape(3, 1).new_zeros(4).index_put((torch.arange(1, 4),),
                                                                                     torch.logsumexp(x[1:], 1)))
case("logsumexp", [[inf, 0, 1]], {}, lambda x: torch.logsumexp(x, 0), "an infinite one", gradient=False)
case("logsumexp", [numbers(2, 40, low=-700, high=700)], {"axis": -1}, lambda x: torch.logsumexp(x, 1), atol=1e-12)


def spread(correction, root):
    def of(r):
        n = r.shape[-1] - correction
        v = ((r - r.mean(-1, keepdim=True))**2).sum(-1) / n
        return torch.sqrt(v) if root else v
    return of_rows(of)


for op, root in (("var", False), ("std", True)):
    for (shape, axis, keep), correction in zip(more_shapes, (0, 1, 0.5, 1.5, None, 2, 0, 1, 1, 0)):
        if correction is not None:
            case(op, [numbers(*shape)], attributes(axis, keep, correction=correction), spread(correction, root)(axis, keep))
    case(op, [numbers(2, 3) + 1e6], {"axis": 1}, spread(0, root)(1, None), "a mean far off", f32=False, rtol=1e-8)
    bad(op, [numbers(2)], {"correction": "one"}, "attr", "not a number")
case("std", [[[2, 2, 2], [1, 2, 4.0]]], {"axis": 1}, lambda x: torch.std(x, 1, unbiased=False), "gradient 0 at 0",
     slope=lambda x: torch.cat([0 * x[:1].sum(1), torch.std(x[1:], 1, unbiased=False)]))
case("var", [[2.0]], {"correction": 1}, lambda x: x[0] * nan, "nothing to divide by", gradient=False)
case("var", [numbers()], {}, lambda x: x * 0)

for p in (1, 1.5, 2, 3, 7.25, inf):
    for shape, axis, keep in more_shapes if p == 2 else shapes[1:5]:
        attrs = attributes(axis, keep)
        if p != 2:
            attrs["p"] = "inf" if p == inf else p
        case("norm", [numbers(*shape)], attrs, over(lambda x, d, k: torch.linalg.vector_norm(x, p, d, k))(axis, keep))
    attrs = {} if p == 2 else {"p": "inf" if p == inf else p}
    case("norm", [np.zeros((2, 3))], dict(attrs, axis=1), lambda x: 0 * x.sum(1), "gradient 0 at 0")
    for scale in (1e200, 1e-200, 1e-310):
        big = numbers(5)
        case("norm", [scale * big], attrs, lambda x: torch.linalg.vector_norm(torch.as_tensor(big), p) * scale,
             "neither overflow nor underflow", f32=False, gradient=False, atol=0, rtol=1e-10 if scale == 1e-310 else 1e-13)
case("norm", [[3e200, -4e200]], {}, lambda x: x[0] * 0 + 5e200, slope=lambda x: 0.6 * x[0] - 0.8 * x[1],
     why="the gradient has no overflow either", f32=False, atol=0)
case("norm", [[3.0, -3.0, 1.0, 3.0]], {"p": "inf"}, lambda x: x.abs().max(), slope=lambda x: x.abs().amax(0),
     why="ties share evenly")
for p in (0.5, -1, 0, "nan"):
    bad("norm", [numbers(2)], {"p": p}, "value", "p < 1")

# ---- Counts and questions ---------------------------------------------------------------------------------------------
truth = np.array([[[True, False], [True, True]], [[False, False], [True, False]]])
for axis, keep in ((None, None), (0, None), ([0, -1], True)):
    dims = (0, 1, 2) if axis is None else (0,) if axis == 0 else (0, 2)
    case("any", [truth], attributes(axis, keep), lambda x: torch.as_tensor(np.asarray(np.any(x.numpy(), dims, keepdims=bool(keep)))))
    case("all", [truth], attributes(axis, keep), lambda x: torch.as_tensor(np.asarray(np.all(x.numpy(), dims, keepdims=bool(keep)))))
    for x in (truth, np.array([[[0, 1], [2, 0]], [[-1, 0], [0, 0]]]), np.array([[[0, -0.0], [nan, 1]], [[inf, 0], [0, 2.]]])):
        case("count_nonzero", [x], attributes(axis, keep),
             lambda x: torch.as_tensor(np.asarray((x.numpy() != 0).sum(dims, keepdims=bool(keep)))), gradient=False)
case("any", [np.zeros(0, bool)], {}, lambda x: torch.tensor(False), "of nothing")
case("all", [np.zeros(0, bool)], {}, lambda x: torch.tensor(True), "of nothing")
case("count_nonzero", [numbers(0)], {}, lambda x: torch.tensor(0), "of nothing", gradient=False)
bad("any", [numbers(2)], {}, "dtype", "numbers")

for x in (numbers(3, 4, 2), np.round(numbers(2, 300)), np.array([[3, 1, 3], [0, 0, 2]]),
          np.array([[True, False], [False, False]]), np.array([[nan, 1], [1, nan]]), np.array([[-inf, inf], [inf, inf]])):
    for op, f in (("argmax", np.argmax), ("argmin", np.argmin)):
        case(op, [x], {}, lambda t: torch.as_tensor(f(t.numpy())), "the first of equals, the first NaN", gradient=False)
        for axis in range(x.ndim):
            case(op, [x], {"axis": axis - x.ndim, "keepdims": True},
                 lambda t: torch.as_tensor(np.expand_dims(f(t.numpy(), axis), axis)), gradient=False)
case("argmax", [numbers()], {}, lambda t: torch.tensor(0), gradient=False)

# ---- Scans ------------------------------------------------------------------------------------------------------------
for shape, axis in (((2, 3, 4), 1), ((5,), 0), ((3, 4), -1), ((1, 2), 0), ((0, 3), 0), ((3, 0), 0), ((2, 37), 1)):
    x = numbers(*shape)
    case("cumulative_sum", [x], {"axis": axis}, lambda t: t.cumsum(axis), atol=1e-12)
    case("logcumsumexp", [x], {"axis": axis}, lambda t: t.logcumsumexp(axis), rtol=1e-12, atol=1e-12,
         slope=lambda t: t.exp().cumsum(axis).log())
    case("cummax", [x], {"axis": axis}, lambda t: t.cummax(axis)[0] if t.numel() else t + 0)
    case("cummin", [x], {"axis": axis}, lambda t: t.cummin(axis)[0] if t.numel() else t + 0)
    if shape[-1] < 30:
        case("cumulative_prod", [x], {"axis": axis}, lambda t: t.cumprod(axis))
case("cumulative_prod", [[2, 0, 3, 0, 5.0]], {"axis": 0}, lambda t: t.cumprod(0), "zeros among the factors")
case("cummax", [[1, 1, 0, 1, 2.0]], {"axis": 0}, lambda t: t.cummax(0)[0], "an equal later entry does not take over",
     slope=lambda t: torch.stack([t[0], t[0], t[0], t[0], t[4]]))
case("cummin", [[1, 1, 2, 1, 0.0]], {"axis": 0}, lambda t: t.cummin(0)[0], "an equal later entry does not take over",
     slope=lambda t: torch.stack([t[0], t[0], t[0], t[0], t[4]]))
case("cummax", [[1, nan, 3.0]], {"axis": 0}, lambda t: torch.tensor([1, nan, nan], dtype=t.dtype), "a NaN stays",
     slope=lambda t: torch.stack([t[0], t[1], t[1]]))
case("logcumsumexp", [[-inf, -inf, 0, -inf, 1]], {"axis": 0}, lambda t: t.logcumsumexp(0), "-inf has gradient 0",
     slope=lambda t: torch.stack([0 * t[2], 0 * t[2], t[2], t[2], torch.logaddexp(t[2], t[4])]))
case("logcumsumexp", [[800, -800, 801.0]], {"axis": 0}, lambda t: t.logcumsumexp(0), "no overflow", f32=False,
     slope=lambda t: torch.stack([t[0], torch.logaddexp(t[0], t[1]), torch.logaddexp(t[0], t[2])]))
for op in ("cumulative_sum", "cumulative_prod", "logcumsumexp", "cummax", "cummin"):
    bad(op, [numbers(2)], {}, "attr", "no axis")
    bad(op, [numbers(2)], {"axis": 1}, "shape", "no such axis")
    bad(op, [numbers()], {"axis": 0}, "shape", "0-d")
for shape, axis, n in (((2, 3, 4), -1, 1), ((5, 2), 0, 2), ((6,), 0, 3), ((3,), 0, 0), ((2, 3), 1, 5), ((2, 3), 1, 3),
                       ((0, 3), 1, 1), ((0, 3), 0, 1)):
    attrs = {} if (axis, n) == (-1, 1) else {"axis": axis, "n": n}
    case("diff", [numbers(*shape)], attrs, lambda t: torch.diff(t, n=n, dim=axis) if n < t.shape[axis]
         else t.narrow(axis, 0, 0) * 1)
bad("diff", [numbers(3)], {"n": -1}, "value", "a negative n")
for shape, axis, dx in (((2, 3, 4), -1, 1), ((5, 2), 0, 0.5), ((1, 2), 0, 1), ((2,), 0, -3), ((0, 3), 1, 1)):
    attrs = {} if (axis, dx) == (-1, 1) else {"axis": axis, "dx": dx}
    case("trapezoid", [numbers(*shape)], attrs, lambda t: torch.trapezoid(t, dx=dx, dim=axis))

# ---- Order ------------------------------------------------------------------------------------------------------------
for x, axis in ((numbers(2, 3, 4), -1), (numbers(3, 4), 0), (np.round(numbers(40)), 0), (numbers(3, 0), 0), (numbers(0), -1)):
    for down in (False, True):
        attrs = {"axis": axis, "descending": down}
        case("sort", [x], attrs, lambda t: torch.sort(t, dim=axis, descending=down, stable=True)[0])
        case("argsort", [x], attrs, lambda t: torch.sort(t, dim=axis, descending=down, stable=True)[1], gradient=False)
case("sort", [[3, nan, 1, inf, -inf, nan]], {}, lambda t: torch.sort(t, stable=True)[0], "NaN is the largest",
     gradient=False)
case("argsort", [[3, nan, 1, inf, -inf, nan]], {}, lambda t: torch.sort(t, stable=True)[1], gradient=False)
case("argsort", [np.array([3, 1, 2, 1])], {"stable": True}, lambda t: torch.tensor([1, 3, 2, 0]), "integers")
for k, axis, largest in ((2, -1, True), (1, 0, False), (0, -1, True), (3, 1, True)):
    case("topk", [numbers(2, 3, 2)], {"k": k, "axis": axis, "largest": largest},
         lambda t: tuple(torch.topk(t, k, axis, largest)))
case("topk", [[1, 2, 2, 1, 2.0]], {"k": 4}, lambda t: (torch.tensor([2, 2, 2, 1.0], dtype=t.dtype), torch.tensor([1, 2, 4, 0])),
     "equal ones in index order", slope=lambda t: (t[[1, 2, 4, 0]], torch.tensor([0])))
bad("topk", [numbers(3)], {"k": 4}, "value", "more than there are")
bad("topk", [numbers(3)], {"k": -1}, "value", "negative")
bad("topk", [numbers(3)], {}, "attr", "no k")
for shape, axis, keep in shapes:
    case("median", [numbers(*shape)], attributes(axis, keep), of_rows(lambda r: r.median(-1)[0])(axis, keep)
         if shape else lambda x: x * 1)
    for q in (0, 0.3, 1) if len(shape) == 3 else (0.3,):
        case("quantile", [numbers(*shape)], attributes(axis, keep, q=q), of_rows(lambda r: torch.quantile(r, q, -1))(axis, keep))
case("median", [[3, 1, 3, 1.0]], {}, lambda x: x[1], "the lower of two; the second of equal ones",
     slope=lambda x: x[3])
case("median", [[3, nan, 1.0]], {}, lambda x: x[1], "a NaN wins")
case("quantile", [[3, nan, 1.0]], {"q": 0.5}, lambda x: x[1], "a NaN wins")
case("quantile", [[inf, inf, 1.0]], {"q": 0.75}, lambda x: x[0], "between equal infinities", gradient=False)
for q in (-0.1, 1.5, "nan"):
    bad("quantile", [numbers(3)], {"q": q}, "value", "no part")
bad("quantile", [numbers(3)], {}, "attr", "no q")

# ---- Softmax ----------------------------------------------------------------------------------------------------------
for shape, axis in (((2, 3), -1), ((2, 3, 4), 1), ((3, 2), 0), ((2, 37), -1), ((0, 3), -1), ((3, 0), -1), ((2, 131), 0)):
    x = numbers(*shape, low=-5, high=5)
    attrs = {} if axis == -1 else {"axis": axis}
    case("softmax", [x], attrs, lambda t: torch.softmax(t, axis))
    case("log_softmax", [x], attrs, lambda t: torch.log_softmax(t, axis))
    if x.size < 50:
        case("softmin", [x], attrs, lambda t: torch.softmax(-t, axis))
far = [[1000, 0, -1000], [-1000, -1001, -1002.0], [0, -inf, 1]]
case("softmax", [far], {}, lambda t: torch.softmax(t, -1), "neither overflow nor underflow")
case("log_softmax", [far[:2]], {}, lambda t: torch.log_softmax(t, -1), "neither overflow nor underflow")
case("log_softmax", [far[2:]], {}, lambda t: torch.log_softmax(t, -1), "a -inf", gradient=False)
for op in ("softmax", "log_softmax"):
    case(op, [[-inf, -inf]], {}, lambda t: t * nan, "-inf alone", gradient=False)
    case(op, [[nan, 1]], {}, lambda t: t * nan, "a NaN", gradient=False)
    bad(op, [numbers(2)], {"axis": 1}, "shape", "no such axis")
    bad(op, [np.arange(3)], {}, "dtype", "integers")

write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "reductions.jsonl"))
