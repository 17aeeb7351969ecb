#!/usr/bin/python3
"""How far the special functions are from the truth, in ulp: the bounds that their header promises, and a case for each.

FUNCTIONS is the table: the truth by mpmath, where it is looked at, and the bounds for float64 and float32, whose measured
values `measure_ulp.py` prints on a fine grid. This script writes ulp.jsonl, the same on a coarse one.
"""
import json
import math
import os
import struct

import mpmath as m
from mpmath import mp, mpf

mp.dps = 50
EPSILON = {"float64": 2.0**-52, "float32": 2.0**-23}


def to_float32(x):
    return struct.unpack("f", struct.pack("f", x))[0]


def logarithmic(low, high, n):
    return [low * (high / low) ** (i / (n - 1)) for i in range(n)]


def linear(low, high, n):
    return [low + (high - low) * i / (n - 1) for i in range(n)]


def both(low, high, n):
    """Of either sign."""
    return [-x for x in reversed(logarithmic(low, high, n // 2))] + logarithmic(low, high, n // 2)


def ndtr(x):
    return m.erfc(-x / m.sqrt(2)) / 2


def ndtri(p):
    """The x with ndtr(x) = p, by Newton's steps on the logarithm of the tail."""
    tail = min(p, 1 - p)
    x = -m.sqrt(-2 * m.log(tail)) if tail < 0.1 else (tail - mpf(1) / 2) * m.sqrt(2 * m.pi)
    for _ in range(60):
        step = (m.log(ndtr(x)) - m.log(tail)) * ndtr(x) / m.npdf(x)
        x -= step
        if abs(step) <= abs(x) * mpf(10) ** -45:
            break
    return x if p < mpf(1) / 2 else -x


def erfinv(y):
    return m.sign(y) * -ndtri((1 - abs(y)) / 2) / m.sqrt(2) if y else y


def log_ndtr(x):
    return m.log(ndtr(x)) if x < 5 else m.log1p(-ndtr(-x))


def sinc(x):
    return m.sinpi(x) / (m.pi * x) if x else mpf(1)


# name: truth, attributes, grid of n points, bounds {float64, float32} in ulp, of y or, where it has zeros, of max(|y|, 1)
FUNCTIONS = {
    "erf": (m.erf, {}, lambda n: both(1e-10, 5.5, n), (3, 4), "y"),
    "erfc": (m.erfc, {}, lambda n: both(1e-10, 9, n), (2, 2), "y"),
    "erfcx": (lambda x: m.exp(x * x) * m.erfc(x), {}, lambda n: linear(-9, 0, n // 3) + logarithmic(1e-6, 1e6, n - n // 3), (3, 1), "y"),
    "erfinv": (erfinv, {}, lambda n: both(1e-10, 0.9999, n), (2, 1), "y"),
    "ndtr": (ndtr, {}, lambda n: both(1e-10, 12, n), (2, 2), "y"),
    "log_ndtr": (log_ndtr, {}, lambda n: both(1e-10, 100, n // 2) + linear(-12, 8, n // 2), (3, 1), "y"),
    "ndtri": (ndtri, {}, lambda n: logarithmic(1e-30, 0.4, n // 2) + linear(0.401, 0.999, n // 2), (3, 1), "1"),
    "lgamma": (lambda x: m.log(abs(m.gamma(x))), {},
               lambda n: linear(-9.9, -0.05, n // 2) + logarithmic(1e-6, 1e4, n // 2), (3, 1), "1"),
    "digamma": (m.digamma, {}, lambda n: linear(-9.95, -0.05, n // 2) + logarithmic(1e-6, 1e6, n // 2), (7, 1), "1"),
    "polygamma": (lambda x: m.psi(1, x), {"n": 1}, lambda n: logarithmic(1e-4, 1e6, n), (5, 1), "y"),
    "i0": (lambda x: m.besseli(0, x), {}, lambda n: both(1e-6, 80, n), (6, 1), "y"),
    "i1": (lambda x: m.besseli(1, x), {}, lambda n: both(1e-6, 80, n), (6, 1), "y"),
    "i0e": (lambda x: m.exp(-abs(x)) * m.besseli(0, x), {}, lambda n: both(1e-6, 1e4, n), (7, 1), "y"),
    "i1e": (lambda x: m.exp(-abs(x)) * m.besseli(1, x), {}, lambda n: both(1e-6, 1e4, n), (7, 1), "y"),
    "j0": (lambda x: m.besselj(0, x), {}, lambda n: both(1e-6, 60, n), (1, 1), "1"),
    "j1": (lambda x: m.besselj(1, x), {}, lambda n: both(1e-6, 60, n), (2, 1), "1"),
    "entr": (lambda x: -x * m.log(x), {}, lambda n: logarithmic(1e-30, 1e6, n), (2, 2), "1"),
    "log1mexp": (lambda x: m.log(-m.expm1(x)), {}, lambda n: [-x for x in logarithmic(1e-10, 80, n)], (4, 4), "y"),
    "sinc": (sinc, {}, lambda n: both(1e-8, 20, n), (2, 2), "1"),
    "log1p": (m.log1p, {}, lambda n: logarithmic(1e-12, 1e6, n // 2) + [-x for x in logarithmic(1e-12, 0.999, n // 2)], (3, 2), "y"),
    "sigmoid": (lambda x: 1 / (1 + m.exp(-x)), {}, lambda n: both(1e-6, 80, n), (3, 3), "y"),
    "log_sigmoid": (lambda x: -m.log1p(m.exp(-x)), {}, lambda n: both(1e-6, 80, n), (4, 4), "y"),
    "logit": (lambda x: m.log(x / (1 - x)), {}, lambda n: logarithmic(1e-30, 0.4, n // 2) + linear(0.401, 0.999, n // 2), (2, 2), "1"),
}


def grid(name, dtype, n):
    points = FUNCTIONS[name][2](n)
    return [to_float32(x) for x in points] if dtype == "float32" else points


def truth(name, x):
    return FUNCTIONS[name][0](mpf(x))


def cases():
    for name, (_, attrs, _, bounds, unit) in FUNCTIONS.items():
        for dtype, bound in zip(EPSILON, bounds):
            x = grid(name, dtype, 24)
            y = [float(truth(name, at)) for at in x]
            slack = bound * EPSILON[dtype]
            yield {"op": name, "inputs": [{"dtype": dtype, "shape": [len(x)], "data": x}], "attrs": attrs,
                   "expect": {"values": [{"dtype": dtype, "shape": [len(x)], "data": y}]},
                   "rtol": slack, "atol": slack if unit == "1" else 0, "why": f"within {bound} ulp"}


if __name__ == "__main__":
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ulp.jsonl"), "w") as file:
        for case in cases():
            file.write(json.dumps(case, separators=(",", ":")) + "\n")
