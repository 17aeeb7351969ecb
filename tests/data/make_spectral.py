#!/usr/bin/python3
"""Reference values of transforms and signals, by torch and NumPy in float64: writes spectral.jsonl beside this file."""
import os

import numpy as np
import torch

from torch_cases import bad, case, numbers, write

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


for n in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 15, 16, 30, 31, 37):
    complex_cases((n,), -1)
complex_cases((49,), -1, "a prime squared")
complex_cases((64,), 0)
complex_cases((3, 6), 0)
complex_cases((2, 3, 4), 1)
complex_cases((5, 10), -2, "more lines than are done at once")
complex_cases((9, 5), 1, "more lines than are done at once")
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

write("spectral.jsonl")
