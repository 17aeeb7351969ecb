#!/usr/bin/python3
"""Reference values of transforms and signals, by torch and NumPy in float64: writes spectral.jsonl beside this file."""
import os

import numpy as np
import torch

from torch_cases import bad, case, lines, numbers, write

os.chdir(os.path.dirname(os.path.abspath(__file__)))


def parts(z):
    return z.real, z.imag


# Sums of n numbers near 1 in size: a line's error is relative to its largest entry.
CLOSE = dict(rtol=1e-13, atol=2e-13)


# ---- fft, ifft ----
def complex_cases(shape, axis, why=None):
    attrs = {} if axis == -1 else {"axis": axis}
    re, im = numbers(*shape), numbers(*shape)
    for op, f in (("fft", torch.fft.fft), ("ifft", torch.fft.ifft)):
        case(op, [re, im], attrs, lambda a, b: parts(f(torch.complex(a, b), dim=axis)), why, **CLOSE)
        if len(shape) > 1 or shape[0] < 6:
            case(op, [re], attrs, lambda a: parts(f(torch.complex(a, a * 0), dim=axis)), "a real x", **CLOSE)


for n in (1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 31, 37):
    complex_cases((n,), -1)
complex_cases((25,), -1, "a prime squared")
complex_cases((32,), 0)
complex_cases((3, 6), 0)
complex_cases((2, 3, 4), 1)
complex_cases((2, 10), -2, "more lines than are done at once")
complex_cases((9, 4), 1, "more lines than are done at once")
complex_cases((0, 4), -1, "no lines")
case("fft", [np.eye(1, 8)[0], np.zeros(8)], {}, lambda a, b: parts(torch.fft.fft(torch.complex(a, b))), "an impulse", **CLOSE)
case("fft", [np.ones(12) * 1e300, np.zeros(12)], {}, lambda a, b: parts(torch.fft.fft(torch.complex(a, b))), "large",
     f32=False, rtol=1e-13, atol=1e287, gradient=False)
for op in ("fft", "ifft"):
    bad(op, [numbers(3), numbers(4)], {}, "shape", "parts of two lengths")
    bad(op, [numbers(3, 1), numbers(1, 3)], {}, "shape", "parts do not broadcast")
    bad(op, [numbers(0), numbers(0)], {}, "shape", "no points")
    bad(op, [numbers(), numbers()], {}, "shape", "0-d")
    bad(op, [numbers(2, 3)], {"axis": 2}, "shape", "no such axis")
    bad(op, [np.ones(3, "int64")], {}, "dtype", "integers")
    bad(op, [numbers(3), numbers(3).astype("float32")], {}, "dtype", "two precisions")
    bad(op, [numbers(3)], {"axis": 0.5}, "attr", "half an axis")

# ---- rfft ----
for shape, axis in [((n,), -1) for n in (1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 21, 37, 45)] + [
        ((3, 6), 0), ((2, 5, 3), 1), ((9, 4), -1), ((0, 6), 1)]:
    case("rfft", [numbers(*shape)], {} if axis == -1 else {"axis": axis}, lambda x: parts(torch.fft.rfft(x, dim=axis)), **CLOSE)
bad("rfft", [numbers(0)], {}, "shape", "no points")
bad("rfft", [numbers(2, 0)], {}, "shape", "no points")
bad("rfft", [numbers()], {}, "shape", "0-d")
bad("rfft", [np.ones(3, "bool")], {}, "dtype", "booleans")
bad("rfft", [numbers(3), numbers(3)], {}, "shape", "two inputs")


# ---- irfft ----
def irfft(re, im, n, axis):
    """By the sum itself, in which the imaginary part at 0 and n/2 has no place."""
    m = min(re.shape[axis], n // 2 + 1)
    re, im = re.movedim(axis, -1)[..., :m], im.movedim(axis, -1)[..., :m]
    k, j = torch.arange(m, dtype=torch.int64), torch.arange(n, dtype=torch.int64)
    end = (2 * k) % n == 0
    angle = 2 * np.pi * ((k[:, None] * j[None, :]) % n).double() / n
    cosine = torch.where(end, 1.0, 2.0)[:, None] * torch.cos(angle)
    sine = torch.where(end, 0.0, 2.0)[:, None] * torch.sin(angle)
    return ((re @ cosine - im @ sine) / n).movedim(-1, axis)


for m in (2, 3, 4, 5, 8, 9, 20):
    case("irfft", [numbers(m), numbers(m)], {}, lambda a, b: irfft(a, b, 2 * (m - 1), -1), **CLOSE)
for m, n in ((1, 1), (2, 1), (2, 2), (2, 3), (3, 5), (4, 7), (6, 4), (6, 5), (3, 12), (3, 13), (19, 37), (1, 6)):
    case("irfft", [numbers(m), numbers(m)], {"n": n}, lambda a, b: irfft(a, b, n, -1), **CLOSE)
for shape, axis, n in (((3, 4), 0, 5), ((2, 4, 3), 1, 6), ((12, 3), -1, 4), ((0, 3), 1, 4)):
    case("irfft", [numbers(*shape), numbers(*shape)], {"axis": axis, "n": n}, lambda a, b: irfft(a, b, n, axis), **CLOSE)
bad("irfft", [numbers(1), numbers(1)], {}, "shape", "2 (m - 1) is 0")
bad("irfft", [numbers(3), numbers(3)], {"n": 0}, "value", "no points")
bad("irfft", [numbers(3), numbers(3)], {"n": -2}, "value", "fewer than no points")
bad("irfft", [numbers(3), numbers(4)], {}, "shape", "parts of two lengths")
bad("irfft", [numbers(3)], {}, "shape", "one part")
bad("irfft", [numbers(3), numbers(3)], {"n": 2.5}, "attr", "not an integer")
bad("irfft", [numbers(3), numbers(3)], {"axis": -2}, "shape", "no such axis")


# ---- convolve, correlate: against NumPy's values; derivatives by the products written out ----
def placed(n, m, mode, correlation):
    """Which sums of the full convolution NumPy keeps, read off its own answers."""
    a, b = np.arange(1, n + 1) ** 0.5, np.arange(1, m + 1) ** (1 / 3)
    kept = np.correlate(a, b, mode) if correlation else np.convolve(a, b, mode)
    full = np.convolve(a, b[::-1] if correlation else b)
    fits = [i for i in range(len(full) - len(kept) + 1) if np.allclose(full[i:i + len(kept)], kept, rtol=1e-12)]
    assert len(fits) == 1
    return fits[0], len(kept)


def sums(n, m, mode, correlation):
    start, length = placed(n, m, mode, correlation)

    def f(a, b):
        products = a[:, None] * (b.flip(0) if correlation else b)[None, :]
        full = [sum(products[i, k - i] for i in range(max(0, k - m + 1), min(n, k + 1))) for k in range(n + m - 1)]
        return torch.stack(full)[start:start + length]
    return f


for op in ("convolve", "correlate"):
    for n, m in ((1, 1), (1, 4), (4, 1), (5, 3), (3, 5), (4, 2), (2, 6), (4, 4), (6, 3)):
        for mode in ("full", "same", "valid"):
            a, b = numbers(n), numbers(m)
            case(op, [a, b], {"mode": mode}, sums(n, m, mode, op == "correlate"), **CLOSE)
            reference = np.convolve(a, b, mode) if op == "convolve" else np.correlate(a, b, mode)
            assert np.allclose(lines[-1]["expect"]["values"][0]["data"], reference, rtol=1e-13, atol=1e-13)
    case(op, [numbers(90), numbers(3)], {}, sums(90, 3, "full", op == "correlate"), "longer than a tile", **CLOSE)
    case(op, [numbers(3), numbers(3)], {}, sums(3, 3, "full", op == "correlate"), "full by default", **CLOSE)
    values = np.convolve if op == "convolve" else lambda a, b: np.correlate(a, b, "full")
    for a, b in (([np.inf, 1, 2], [1.0, 2]), ([1.0, np.nan, 2], [1.0, 2])):
        case(op, [np.array(a), np.array(b)], {}, lambda a, b: torch.as_tensor(values(a.numpy(), b.numpy())),
             "what is not finite reaches the sums it is in", gradient=False)
    bad(op, [numbers(0), numbers(3)], {}, "shape", "nothing")
    bad(op, [numbers(3), numbers(0)], {}, "shape", "nothing")
    bad(op, [numbers(2, 3), numbers(3)], {}, "shape", "a matrix")
    bad(op, [numbers(), numbers(3)], {}, "shape", "0-d")
    bad(op, [numbers(3), numbers(3)], {"mode": "circular"}, "value", "no such mode")
    bad(op, [numbers(3), numbers(3)], {"mode": 1}, "attr", "not a word")
    bad(op, [numbers(3), np.ones(3, "int64")], {}, "dtype", "integers")
    bad(op, [numbers(3)], {}, "shape", "one input")


# ---- polyval ----
def horner(coeffs, x):
    y = x * 0
    for c in coeffs:
        y = y * x + c
    return y


for n, shape in ((1, (3,)), (2, (4,)), (3, ()), (4, (2, 3)), (7, (5,)), (0, (3,)), (3, (0,)), (3, (2, 0)), (5, (1, 1, 2))):
    coeffs, x = numbers(n), numbers(*shape)
    case("polyval", [coeffs, x], {}, horner, "no coefficients" if n == 0 else None, rtol=1e-12, atol=1e-13)
    assert np.allclose(np.ravel(lines[-1]["expect"]["values"][0]["data"]), np.polyval(coeffs, x).ravel())
case("polyval", [np.array([1.0, -6, 11, -6]), np.array([1.0, 2, 3, 0])], {}, horner, "at its roots")
case("polyval", [np.array([2.0, 1, 0.5]), np.array([1e100, -1e-200, 1e3])], {}, horner, "far out", f32=False)
bad("polyval", [numbers(2, 2), numbers(3)], {}, "shape", "a matrix of coefficients")
bad("polyval", [numbers(), numbers(3)], {}, "shape", "0-d coefficients")
bad("polyval", [np.ones(2, "int64"), numbers(3)], {}, "dtype", "integers")
bad("polyval", [numbers(2)], {}, "shape", "no x")


# ---- interp ----
def interp(x, xp, fp):
    """NumPy's; at a knot, by the piece to its right; outside, constant."""
    n = len(xp)
    i = torch.searchsorted(xp.detach(), x.detach(), right=True) - 1
    left, right = i.clamp(min=0), torch.where(i < 0, 0, (i + 1).clamp(max=n - 1))
    inside = left < right
    apart = torch.where(inside, xp[right] - xp[left], torch.ones_like(x))
    return torch.where(inside, fp[left] + (x - xp[left]) / apart * (fp[right] - fp[left]), fp[left])


def interp_case(x, xp, fp, why=None, **how):
    x, xp, fp = (np.asarray(a, float) for a in (x, xp, fp))
    case("interp", [x, xp, fp], {}, interp, why, rtol=1e-12, atol=1e-13, **how)
    assert np.allclose(np.ravel(lines[-1]["expect"]["values"][0]["data"]), np.interp(x, xp, fp).ravel())


knots = np.array([-1.5, -0.25, 0.5, 2.0, 2.125])
interp_case(numbers(6), knots, numbers(5))
interp_case(numbers(2, 3, low=-1.4, high=2), knots, numbers(5))
interp_case(knots, knots, numbers(5), "at the knots: the slope to the right", f32=False)
interp_case([-9, -1.6, 2.2, 1e300], knots, numbers(5), "outside", f32=False)
interp_case(0.3, knots, numbers(5), "0-d")
interp_case([], knots, numbers(5), "no points")
interp_case(numbers(3), [0.5], [2.0], "one knot")
interp_case([0.5], [0.5], [2.0], "at the only knot")
interp_case([np.inf, -np.inf], knots, numbers(5), "infinitely far", gradient=False)
interp_case([0.1, 0.2], [0.0, 1, 2], [1.0, 1, np.inf], "a level piece beside an infinite one", gradient=False)
case("interp", [np.array([np.nan, 0.0]), knots, numbers(5)], {}, lambda x, xp, fp: torch.as_tensor(
    np.interp(x.numpy(), xp.numpy(), fp.numpy())), "not a number", gradient=False)
for xp, why in (([0.0, 2, 1], "decreasing"), ([0.0, 1, 1], "a knot twice"), ([0.0, np.nan, 2], "NaN"), ([np.nan, 1, 2], "NaN")):
    bad("interp", [numbers(3), np.array(xp), numbers(3)], {}, "value", why)
bad("interp", [numbers(3), numbers(0), numbers(0)], {}, "shape", "no knots")
bad("interp", [numbers(3), np.array([0.0, 1]), numbers(3)], {}, "shape", "more values than knots")
bad("interp", [numbers(3), np.array([[0.0, 1]]), np.array([[0.0, 1]])], {}, "shape", "a matrix of knots")
bad("interp", [numbers(3), np.array(0.0), np.array(1.0)], {}, "shape", "0-d knots")
bad("interp", [np.ones(2, "int64"), knots, numbers(5)], {}, "dtype", "integers")

write("spectral.jsonl")
