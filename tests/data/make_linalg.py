#!/usr/bin/python3
"""Reference values of linear algebra, by torch and mpmath in float64: writes linalg.jsonl beside this file. Where
signs are free they are fixed as the operations say: the largest entry of a vector, or r's diagonal, is positive."""
import itertools
import os

import mpmath
import numpy as np
import torch

from torch_cases import bad, case, lines, numbers, tensor, write

os.chdir(os.path.dirname(os.path.abspath(__file__)))
inf, nan = float("inf"), float("nan")


def regular(*shape):
    """Matrices of condition number near 1: a strong diagonal."""
    return numbers(*shape) + 3 * np.eye(shape[-2], shape[-1])


def definite(*shape):
    a = numbers(*shape)
    return np.round(a @ np.swapaxes(a, -1, -2) + 2 * np.eye(shape[-1]), 3)


def symmetric(*shape):
    a = numbers(*shape)
    return (a + np.swapaxes(a, -1, -2)) / 2


def special(op, xs, attrs, values, why, cotangents=None, tangents=None, rtol=1e-13, atol=1e-14, **expect):
    """An expectation from elsewhere; vjp, jvp and hvp by name."""
    own = lambda list: [None if x is None else tensor(np.asarray(x, "float64")) for x in list]
    line = {"op": op, "inputs": own(xs), "attrs": attrs}
    if cotangents is not None:
        line["cotangents"] = own(cotangents)
    if tangents is not None:
        line["tangents"] = own(tangents)
    line["expect"] = {"values": own(values)} if values is not None else {}
    line["expect"].update({name: own(list) for name, list in expect.items()})
    line.update(rtol=rtol, atol=atol, why=why)
    lines.append(line)


def refused(op, xs, attrs, error, why, cotangents):
    """A value there is, but no derivative of it."""
    bad(op, [np.asarray(x, "float64") for x in xs], attrs, error, why)
    lines[-1]["cotangents"] = [None if g is None else tensor(np.asarray(g, "float64")) for g in cotangents]
    lines[-1]["want"] = ["vjp"]


sym = lambda a: (a + a.mT) / 2

# ---- solve, inv ----
def solve(a, b):
    return torch.linalg.solve(a, b[..., None])[..., 0] if b.dim() == 1 else torch.linalg.solve(a, b)


for a, b in (((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 3, 3), (2, 3, 2)), ((2, 3, 3), (3, 1)), ((3, 3), (2, 3, 2)),
             ((2, 1, 2, 2), (3, 2, 1)), ((1, 1), (1,)), ((7, 7), (7, 5)), ((2, 3, 3), (3,))):
    f = solve if len(b) > 1 or len(a) == 2 else lambda a, b: torch.linalg.solve(a, b.expand(2, 3)[..., None])[..., 0]
    case("solve", [regular(*a), numbers(*b)], {}, f, rtol=1e-12, atol=1e-13)
for a, b in (((0, 0), (0,)), ((0, 0), (0, 2)), ((3, 3), (3, 0)), ((0, 2, 2), (2, 1))):
    case("solve", [regular(*a), numbers(*b)], {}, lambda a, b: torch.linalg.solve(a, b[..., None])[..., 0]
         if b.dim() == 1 else torch.linalg.solve(a, b), "nothing to solve", f32=False)
special("solve", [[[1e-200, 0], [0, 2e-200]], [1e-200, 2e-200]], {}, [[1, 1]], "small, and well conditioned")
special("solve", [[[0, 1], [1, 0]], [2, 3]], {}, [[3, 2]], "a zero on the diagonal")
for a in ([[1, 2], [2, 4]], [[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[0.0]], [[1, 1], [1, 1 + 2e-16]]):
    bad("solve", [np.asarray(a, "float64"), numbers(len(a))], {}, "numeric", "singular")
    bad("inv", [np.asarray(a, "float64")], {}, "numeric", "singular")
for x in (nan, inf):
    bad("solve", [[[1.0, x], [0.0, 1.0]], [1.0, 1.0]], {}, "numeric", "no numbers")
    bad("inv", [[[1.0, x], [0.0, 1.0]]], {}, "numeric", "no numbers")
bad("solve", [numbers(2, 3), numbers(2)], {}, "shape", "not square")
bad("solve", [numbers(3), numbers(3)], {}, "shape", "a vector for a")
bad("solve", [numbers(3, 3), numbers(2)], {}, "shape", "rows differ")
bad("solve", [numbers(3, 3), numbers()], {}, "shape", "0-d")
bad("solve", [numbers(2, 3, 3), numbers(4, 3, 1)], {}, "shape", "stacks do not broadcast")
bad("solve", [numbers(2, 2), np.ones((2, 2), "int64")], {}, "dtype", "integers")
for shape in ((3, 3), (2, 3, 3), (1, 1), (6, 6), (2, 1, 2, 2)):
    case("inv", [regular(*shape)], {}, torch.linalg.inv, rtol=1e-12, atol=1e-13)
for shape in ((0, 0), (0, 2, 2), (2, 0, 0)):
    case("inv", [numbers(*shape)], {}, torch.linalg.inv, "nothing to invert", f32=False)
hilbert = np.array([[1 / mpmath.mpf(i + j + 1) for j in range(5)] for i in range(5)], "float64")
mpmath.mp.dps = 60
exact = mpmath.inverse(mpmath.matrix(hilbert.tolist()))
special("inv", [hilbert], {}, [[[float(exact[i, j]) for j in range(5)] for i in range(5)]], "condition number 5e5", rtol=1e-10)
bad("inv", [numbers(2, 3)], {}, "shape", "not square")

# ---- triangular_solve, cholesky_solve ----
def triangular(lower, transpose, unit):
    def f(a, b):
        a = torch.tril(a) if lower else torch.triu(a)
        a = a.mT if transpose else a
        x = torch.linalg.solve_triangular(a, b[..., None] if b.dim() == 1 else b, upper=lower == transpose,
                                          unitriangular=unit)
        return x[..., 0] if b.dim() == 1 else x
    return f


for lower, transpose, unit in itertools.product((True, False), repeat=3):
    attrs = {"lower": lower, "transpose": transpose, "unit_diagonal": unit}
    for a, b in (((3, 3), (3,)), ((4, 4), (4, 2)), ((2, 2, 2), (3, 1, 2, 2))):
        case("triangular_solve", [regular(*a), numbers(*b)], attrs, triangular(lower, transpose, unit), rtol=1e-12,
             atol=1e-13, f32=not unit)
special("triangular_solve", [[[2, nan], [1, 4]], [2, 9]], {}, [[1, 2]], "the other triangle is not read",
        [[1, 1]], [[[0, 1], [0, 0]], [0, 0]], vjp=[[[-0.375, 0], [-0.25, -0.5]], [0.375, 0.25]], jvp=[[0, 0]])
special("triangular_solve", [[[nan, 5], [1, nan]], [2, 9]], {"unit_diagonal": True}, [[2, 7]], "nor is a diagonal of ones")
special("triangular_solve", [[[1, 0], [nan, 1]], [2, 9]], {}, [[2, nan]], "NaN goes where it goes")
bad("triangular_solve", [[[1.0, 0.0], [1.0, 0.0]], [1.0, 1.0]], {}, "numeric", "a zero on the diagonal")
bad("triangular_solve", [numbers(2, 3), numbers(2)], {}, "shape", "not square")
bad("triangular_solve", [regular(2, 2), numbers(2)], {"lower": 1}, "attr", "not a truth value")


def cholesky_solve(lower):
    def f(l, b):
        l = torch.tril(l) if lower else torch.triu(l)
        x = torch.cholesky_solve(b[..., None] if b.dim() == 1 else b, l, upper=not lower)
        return x[..., 0] if b.dim() == 1 else x
    return f


for lower in (True, False):
    for l, b in (((3, 3), (3,)), ((3, 3), (3, 2)), ((2, 2, 2), (2, 2, 3))):
        case("cholesky_solve", [regular(*l), numbers(*b)], {"lower": lower}, cholesky_solve(lower), rtol=1e-12, atol=1e-13)
special("cholesky_solve", [[[2, nan], [0, 1]], [4, 3]], {}, [[1, 3]], "the other triangle is not read")
bad("cholesky_solve", [[[0.0]], [1.0]], {}, "numeric", "a zero on the diagonal")

# ---- lstsq, pinv ----
def pinv(a):
    return torch.linalg.inv(a.mT @ a) @ a.mT if a.shape[-2] >= a.shape[-1] else a.mT @ torch.linalg.inv(a @ a.mT)


for shape in ((4, 2), (2, 4), (3, 3), (2, 3, 2), (2, 2, 3), (5, 1), (1, 5)):
    case("pinv", [regular(*shape)], {}, pinv, rtol=1e-12, atol=1e-13)
    b = numbers(*shape[:-1], 2)
    case("lstsq", [regular(*shape), b], {}, lambda a, b: pinv(a) @ b, rtol=1e-12, atol=1e-13)
for m, n in ((4, 2), (2, 3)):
    case("lstsq", [regular(m, n), numbers(m)], {}, lambda a, b: pinv(a) @ b, "a vector", rtol=1e-12, atol=1e-13)
case("lstsq", [regular(2, 3, 2), numbers(3, 1)], {}, lambda a, b: pinv(a) @ b, "broadcast", rtol=1e-12, atol=1e-13)
for shape in ((0, 2), (3, 0), (0, 2, 3)):
    special("pinv", [numbers(*shape)], {}, [np.zeros(shape[:-2] + shape[:-3:-1])], "nothing")
special("lstsq", [numbers(0, 2), numbers(0, 3)], {}, [np.zeros((2, 3))], "no equations: of all x the shortest")
special("lstsq", [numbers(3, 0), numbers(3, 2)], {}, [np.zeros((0, 2))], "no unknowns")
for a in ([[1, 2], [2, 4], [3, 6]], [[1, 2, 3], [2, 4, 6]], [[0, 0], [0, 0]]):
    bad("pinv", [np.asarray(a, "float64")], {}, "numeric", "rank below full")
    bad("lstsq", [np.asarray(a, "float64"), numbers(len(a))], {}, "numeric", "rank below full")
bad("lstsq", [[[nan], [1.0]], [1.0, 1.0]], {}, "numeric", "no numbers")
bad("lstsq", [numbers(3, 2), numbers(2)], {}, "shape", "rows differ")

# ---- det, slogdet, logdet_spd ----
def leibniz(a):
    """The polynomial itself, whose derivatives are right at any rank."""
    n, total = a.shape[-1], 0
    for p in itertools.permutations(range(n)):
        sign = (-1) ** sum(p[i] > p[j] for i in range(n) for j in range(i + 1, n))
        term = sign * torch.ones(a.shape[:-2], dtype=a.dtype)
        for i in range(n):
            term = term * a[..., i, p[i]]
        total = total + term
    return total


for shape in ((3, 3), (2, 4, 4), (2, 2), (1, 1), (2, 1, 3, 3)):
    case("det", [numbers(*shape)], {}, leibniz, rtol=1e-12, atol=1e-12)
    case("slogdet", [regular(*shape)], {}, lambda a: [torch.sign(leibniz(a)).detach(), torch.log(torch.abs(leibniz(a)))],
         rtol=1e-12, atol=1e-12, gradient=False)
    case("logdet_spd", [definite(*shape)], {}, lambda a: torch.logdet(sym(a)), rtol=1e-12, atol=1e-12)
for why, a in (("rank 2 of 3", [[1, 2, 3], [4, 5, 6], [7, 8, 9]]), ("rank 1 of 3", [[1, 2, 3], [2, 4, 6], [3, 6, 9]]),
               ("zeros", np.zeros((3, 3))), ("zeros", np.zeros((2, 2))), ("zero", [[0]]), ("rank 1 of 2", [[1, 2], [2, 4]]),
               ("a zero row", [[1, 2, 3], [0, 0, 0], [2, 1, 5]]), ("rank 3 of 4", np.diag([1.0, 0, 2, 3])),
               ("rank 2 of 4", np.diag([1.0, 0, 0, 3]))):
    x = torch.tensor(np.asarray(a, "float64"), requires_grad=True)
    t = torch.as_tensor(numbers(*x.shape))
    (slope,) = torch.autograd.grad(leibniz(x), x, create_graph=True)
    curve = (torch.autograd.grad((slope * t).sum(), x)[0] if x.shape[0] > 1 else torch.zeros_like(x)).detach()
    slope = slope.detach()
    special("det", [a], {}, [leibniz(x).detach()], "singular, " + why, [1.0], [t], rtol=1e-12, atol=1e-13 * 600,
            vjp=[slope], jvp=[(slope * t).sum()], hvp=[curve], hvp_rr=[curve])
special("det", [1e-120 * np.eye(3)], {}, [0], "its gradient is a number where it is none", [1.0],
        vjp=[1e-240 * np.eye(3)], atol=0)
special("det", [np.diag([1e200, 1e200, 1e-300])], {}, [1e100], "no overflow on the way", atol=0)
special("det", [np.zeros((0, 0))], {}, [1], "of nothing", [1.0], vjp=[np.zeros((0, 0))])
special("det", [np.zeros((2, 0, 0))], {}, [[1, 1]], "of nothing, twice")
bad("det", [[[nan]]], {}, "numeric", "no numbers")
bad("det", [numbers(2, 3)], {}, "shape", "not square")
a = regular(3, 3)
special("slogdet", [-a], {}, [-1.0, np.log(np.linalg.det(a))], "negative", [None, 2.0], [a],
        vjp=[-2 * np.linalg.inv(a).T], jvp=[0 * 1.0, -3.0], rtol=1e-12, atol=1e-13)
special("slogdet", [[[1, 2], [2, 4]]], {}, [0, -inf], "singular")
special("slogdet", [np.zeros((0, 0))], {}, [1, 0], "of nothing")
special("slogdet", [np.diag([1e-300] * 3)], {}, [1, 3 * np.log(1e-300)], "below the smallest number")
refused("slogdet", [[[1, 2], [2, 4]]], {}, "numeric", "no gradient where it is -inf", [None, 1.0])
special("logdet_spd", [[[4, nan], [0, 9]]], {}, [np.log(36)], "the upper triangle is not read")
special("logdet_spd", [np.zeros((0, 0))], {}, [0], "of nothing")
bad("logdet_spd", [[[1.0, 0.0], [2.0, 1.0]]], {}, "numeric", "indefinite")

# ---- cholesky ----
for shape in ((3, 3), (2, 4, 4), (1, 1)):
    case("cholesky", [definite(*shape)], {}, lambda a: torch.linalg.cholesky(sym(a)), rtol=1e-12, atol=1e-12)
    case("cholesky", [definite(*shape)], {"lower": False}, lambda a: torch.linalg.cholesky(sym(a)).mT, rtol=1e-12, atol=1e-12)
special("cholesky", [[[4, nan], [2, 5]]], {}, [[[2, 0], [1, 2]]], "the upper triangle is not read")
special("cholesky", [[[4, 2], [nan, 5]]], {"lower": False}, [[[2, 1], [0, 2]]], "the lower triangle is not read")
special("cholesky", [np.zeros((0, 0))], {}, [np.zeros((0, 0))], "of nothing")
for a in ([[1, 0], [2, 1]], [[-1]], [[0]], [[1, 0], [nan, 1]], [[inf]]):
    bad("cholesky", [np.asarray(a, "float64")], {}, "numeric", "not positive definite")
bad("cholesky", [numbers(2, 3)], {}, "shape", "not square")

# ---- lu, qr ----
for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 3), (1, 1), (2, 5, 3)):
    x = numbers(*shape)
    p = torch.linalg.lu(torch.as_tensor(x))[0]
    case("lu", [x], {}, lambda a: list(torch.linalg.lu(a)[1:]), rtol=1e-11, atol=1e-11, f32=False)
    lines[-1]["cotangents"].insert(0, None)
    lines[-1]["expect"]["values"].insert(0, tensor(p))
    lines[-1]["expect"]["jvp"].insert(0, None)
special("lu", [[[0, 1], [2, 3]]], {}, [[[0, 1], [1, 0]], np.eye(2), [[2, 3], [0, 1]]], "exchanged")
special("lu", [[[1, 2], [2, 4]]], {}, [[[0, 1], [1, 0]], [[1, 0], [0.5, 1]], [[2, 4], [0, 0]]], "singular")
special("lu", [np.zeros((0, 2))], {}, [np.zeros((0, 0)), np.zeros((0, 0)), np.zeros((0, 2))], "no rows")
special("lu", [np.zeros((2, 0))], {}, [np.eye(2), np.zeros((2, 0)), np.zeros((0, 0))], "no columns")
refused("lu", [[[1, 2], [2, 4]]], {}, "numeric", "singular", [None, np.eye(2), np.eye(2)])
refused("lu", [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], {}, "numeric", "singular but for rounding", [None, np.eye(3), None])
bad("lu", [[[nan]]], {}, "numeric", "no numbers")
bad("lu", [numbers(3)], {}, "shape", "a vector")


def qr(a):
    k = min(a.shape[-2:])
    q, r = torch.linalg.qr(a[..., :k])
    s = torch.sign(torch.diagonal(r, dim1=-2, dim2=-1)).detach()
    q, r = q * s[..., None, :], s[..., None] * r
    return [q, torch.cat([r, q.mT @ a[..., k:]], -1)]


for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 2), (2, 2, 3), (1, 1), (5, 1)):
    x = numbers(*shape)
    case("qr", [x], {}, qr, rtol=1e-11, atol=1e-11, f32=False)
    if shape[-2] <= shape[-1]:
        case("qr", [x], {"mode": "complete"}, qr, rtol=1e-11, atol=1e-11, f32=False)
x = np.array([[3.0, 1.0], [4.0, 2.0], [0.0, 2.0]])


def qr_complete(a):
    """Of three rows and two columns: the last column of q is the vector product of the others."""
    q, r = qr(a)
    last = torch.linalg.cross(q[:, 0], q[:, 1])
    last = last * torch.sign(last[torch.argmax(torch.abs(last))]).detach()
    return [torch.cat([q, last[:, None]], 1), torch.cat([r, torch.zeros(1, 2, dtype=a.dtype)], 0)]


case("qr", [x], {"mode": "complete"}, qr_complete, "one column completes it", rtol=1e-11, atol=1e-11, f32=False)
special("qr", [np.zeros((3, 0))], {"mode": "complete"}, [np.eye(3), np.zeros((3, 0))], "nothing to complete")
special("qr", [np.zeros((3, 0))], {}, [np.zeros((3, 0)), np.zeros((0, 0))], "no columns")
special("qr", [[[-2.0]]], {}, [[[-1]], [[2]]], "r's diagonal is positive")
bad("qr", [numbers(2, 2)], {"mode": "full"}, "value", "no such mode")
bad("qr", [[[inf]]], {}, "numeric", "no numbers")
refused("qr", [[[1, 2], [2, 4]]], {}, "numeric", "dependent columns", [np.eye(2), None])

# ---- eigh, eigvalsh ----
def upright(v):
    """The entry of largest magnitude of each column made positive; the signs."""
    at = torch.argmax(torch.abs(v), -2, keepdim=True)
    return torch.sign(torch.gather(v, -2, at)).detach()


def eigh(a):
    w, v = torch.linalg.eigh(sym(a))
    return [w, v * upright(v)]


for shape in ((3, 3), (2, 4, 4), (2, 2), (1, 1)):
    for lower in (True, False):
        case("eigh", [symmetric(*shape)], {"lower": lower}, eigh, rtol=1e-11, atol=1e-11, f32=False)
        case("eigvalsh", [symmetric(*shape)], {"lower": lower}, lambda a: torch.linalg.eigvalsh(sym(a)), rtol=1e-12, atol=1e-12)
special("eigh", [np.eye(3)], {}, [np.ones(3), np.eye(3)], "repeated, the values alone are used", [[1, 2, 3], None],
        vjp=[np.diag([1.0, 2, 3])])
refused("eigh", [np.eye(3)], {}, "numeric", "repeated, and the vectors are used", [None, np.ones((3, 3))])
special("eigvalsh", [np.eye(2)], {}, [[1, 1]], "repeated", [[1, 1]], vjp=[np.eye(2)])
special("eigvalsh", [[[1, nan], [0, 2]]], {}, [[1, 2]], "the upper triangle is not read")
special("eigvalsh", [[[1, 0], [nan, 2]]], {"lower": False}, [[1, 2]], "the lower triangle is not read")
special("eigvalsh", [[[0, 1e200], [1e200, 0]]], {}, [[-1e200, 1e200]], "no overflow on the way", atol=0)
special("eigh", [np.zeros((0, 0))], {}, [np.zeros(0), np.zeros((0, 0))], "of nothing")
bad("eigh", [[[nan]]], {}, "numeric", "no numbers")
bad("eigvalsh", [numbers(2, 3)], {}, "shape", "not square")

# ---- svd, svdvals, matrix_norm ----
def svd(a):
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    turn = upright(u)
    return [u * turn, s, turn.mT * vh]


def svd_from_eigh(a):
    """torch refuses cotangents that are not invariant under a change of sign; eigenvectors of a a' and a' a are not."""
    k = min(a.shape[-2:])
    big = torch.cat([torch.cat([torch.zeros_like(a @ a.mT), a], -1), torch.cat([a.mT, torch.zeros_like(a.mT @ a)], -1)], -2)
    w, z = torch.linalg.eigh(big)
    z = torch.flip(z, [-1])[..., :k] * 2 ** 0.5
    u, v = z[..., :a.shape[-2], :], z[..., a.shape[-2]:, :]
    turn = upright(u)
    return [u * turn, torch.flip(w, [-1])[..., :k], (v * turn).mT]


for shape in ((3, 3), (2, 3, 3), (2, 2), (1, 1), (4, 4)):
    case("svd", [numbers(*shape)], {}, svd_from_eigh, rtol=1e-10, atol=1e-10, f32=False)
for shape in ((4, 2), (2, 4), (2, 3, 2), (5, 1), (1, 5)):
    case("svd", [numbers(*shape)], {}, svd, rtol=1e-10, atol=1e-10, f32=False)
for shape in ((3, 3), (4, 2), (2, 4), (2, 3, 2), (1, 1)):
    x = numbers(*shape)
    case("svdvals", [x], {}, torch.linalg.svdvals, rtol=1e-12, atol=1e-12)
    case("matrix_norm", [x], {}, lambda a: torch.sqrt((a ** 2).sum((-1, -2))), rtol=1e-12, atol=1e-12)
    case("matrix_norm", [x], {"ord": "nuc"}, lambda a: torch.linalg.svdvals(a).sum(-1), rtol=1e-12, atol=1e-12)
    case("matrix_norm", [x], {"ord": 2}, lambda a: torch.linalg.svdvals(a)[..., 0], rtol=1e-12, atol=1e-12)
special("svd", [2 * np.eye(2)], {}, None, "repeated, the values alone are used", [None, [3, 3], None], vjp=[3 * np.eye(2)])
refused("svd", [2 * np.eye(2)], {}, "numeric", "repeated, and the vectors are used", [np.ones((2, 2)), None, None])
refused("svd", [[[1, 2], [2, 4], [3, 6]]], {}, "numeric", "a value of 0 in a rectangle", [np.ones((3, 2)), None, None])
special("svd", [np.zeros((0, 2))], {}, [np.zeros((0, 0)), np.zeros(0), np.zeros((0, 2))], "no rows")
special("svdvals", [np.zeros((2, 3, 0))], {}, [np.zeros((2, 0))], "no columns")
special("svdvals", [[[1e200, 0], [0, 1e-200]]], {}, [[1e200, 1e-200]], "both ends of the scale", atol=0)
bad("svd", [[[nan]]], {}, "numeric", "no numbers")
bad("svdvals", [numbers(3)], {}, "shape", "a vector")
for ord, value in (("fro", 2 ** 0.5), ("nuc", 2), ("2", 1)):
    for scale in (1e200, 1e-200, 1e308 / 2):
        slope = np.eye(2) * (0.5 ** 0.5 if ord == "fro" else 0.5 if ord == "2" else 1)
        special("matrix_norm", [scale * np.eye(2)], {"ord": ord}, [scale * value], "no overflow, no underflow; equal values", [1.0],
                atol=1e-15 if ord == "nuc" else 0, vjp=[slope])
    special("matrix_norm", [np.zeros((2, 3))], {"ord": ord}, [0], "zeros", [1.0], vjp=[np.zeros((2, 3))])
    special("matrix_norm", [np.zeros((0, 2))], {"ord": ord}, [0], "of nothing", [1.0], vjp=[np.zeros((0, 2))])
special("matrix_norm", [[[3, 0], [0, 0]]], {"ord": "nuc"}, [3], "a value of 0 adds nothing", [1.0], vjp=[[[1, 0], [0, 0]]])
special("matrix_norm", [[[5e-324, 0], [0, 0]]], {}, [5e-324], "the smallest number", atol=0)
special("matrix_norm", [[[nan, 1]]], {}, [nan], "NaN goes through a sum")
bad("matrix_norm", [[[nan, 1.0]]], {"ord": "nuc"}, "numeric", "no numbers")
bad("matrix_norm", [numbers(2, 2)], {"ord": "max"}, "value", "no such norm")
bad("matrix_norm", [numbers(2, 2)], {"ord": 1}, "value", "no such norm")
bad("matrix_norm", [numbers(2)], {}, "shape", "a vector")

# ---- matrix_power, expm ----
for n in (1, 2, 3, 5, 10):
    case("matrix_power", [numbers(3, 3)], {"n": n}, lambda a: torch.linalg.matrix_power(a, n), rtol=1e-11, atol=1e-11 * 4 ** n)
for n in (-1, -2, -5):
    case("matrix_power", [regular(2, 3, 3)], {"n": n}, lambda a: torch.linalg.matrix_power(torch.linalg.inv(a), -n),
         rtol=1e-11, atol=1e-11)
special("matrix_power", [[[nan, 1], [1, 2]]], {"n": 0}, [np.eye(2)], "the identity, whatever a is", [np.ones((2, 2))],
        vjp=[np.zeros((2, 2))])
special("matrix_power", [[[0, 1], [0, 0]]], {"n": 1000000007}, [np.zeros((2, 2))], "by squares")
special("matrix_power", [np.zeros((0, 0))], {"n": -3}, [np.zeros((0, 0))], "of nothing")
bad("matrix_power", [[[1.0, 2.0], [2.0, 4.0]]], {"n": -1}, "numeric", "singular")
bad("matrix_power", [numbers(2, 2)], {}, "attr", "n is missing")
bad("matrix_power", [numbers(2, 2)], {"n": 0.5}, "attr", "n is an integer")
bad("matrix_power", [numbers(2, 3)], {"n": 2}, "shape", "not square")
for shape in ((3, 3), (2, 3, 3), (1, 1), (5, 5)):
    case("expm", [numbers(*shape)], {}, torch.matrix_exp, rtol=1e-11, atol=1e-11)


def expm(a):
    mpmath.mp.dps = 120
    y = mpmath.expm(mpmath.matrix(np.asarray(a).tolist()), method="taylor")
    return [[float(y[i, j]) for j in range(y.cols)] for i in range(y.rows)]


for why, a in (("squared often", [[-20.0, 3.0], [7.0, -30.0]]), ("far from normal", [[1.0, 1e6], [0.0, -1.0]]),
               ("nilpotent", [[0.0, 1e10], [0.0, 0.0]]), ("small", [[1e-10, 2e-10], [3e-10, -1e-10]]),
               ("a rotation", [[0.0, -10.0], [10.0, 0.0]]), ("Ward 1977, 3", [[-131.0, 19, 18], [-390, 56, 54], [-387, 57, 52]])):
    scale = np.abs(expm(a)).max()
    special("expm", [a], {}, [expm(a)], why, atol=1e-13 * scale * (1000 if "Ward" in why else 1), rtol=1e-12)
special("expm", [[[0, 1e200], [0, 0]]], {}, [[[1, 1e200], [0, 1]]], "nilpotent and large")
for huge in (np.array([[0, 1.7e308, 1.7e308], [0, 0, 0], [0, 0, 0]]), np.array([[0, 0, 1.7e308], [0, 0, 1.7e308], [0, 0, 0]])):
    special("expm", [huge], {}, [np.eye(3) + huge], "nilpotent, and its norm is no number")
special("expm", [np.zeros((2, 2))], {}, [np.eye(2)], "zeros", [[[1, 2], [3, 4]]], vjp=[[[1, 2], [3, 4]]])
special("expm", [np.zeros((0, 0))], {}, [np.zeros((0, 0))], "of nothing")
bad("expm", [[[1000.0, 0.0], [0.0, 0.0]]], {}, "numeric", "too large for a number")
bad("expm", [np.full((3, 3), 1.7e308)], {}, "numeric", "the norm is too large for a number as well")
bad("expm", [[[nan]]], {}, "numeric", "no numbers")
bad("expm", [numbers(2, 3)], {}, "shape", "not square")

write("linalg.jsonl")
