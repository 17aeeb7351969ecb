#!/usr/bin/python3
"""Measures the special functions against mpmath by way of `wengert call`, on the grids of make_ulp.py:

    tests/data/measure_ulp.py build/tools/wengert [POINTS]

prints the largest error of each function and dtype, in ulp, where it is, and the bound that is promised. Exits 1 where
a bound is passed.
"""
import json
import math
import subprocess
import sys

from make_ulp import EPSILON, FUNCTIONS, grid, truth


def ulp(y, dtype):
    """The distance of neighbours of y in the dtype."""
    smallest, digits = (-1074, 53) if dtype == "float64" else (-149, 24)
    return 2.0 ** max(math.frexp(y)[1] - digits, smallest)


def computed(command, name, dtype, x):
    request = {"op": name, "inputs": [{"dtype": dtype, "shape": [len(x)], "data": x}], "attrs": FUNCTIONS[name][1]}
    answer = subprocess.run([command, "call"], input=json.dumps(request), capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)["values"][0]["data"]


def worst(command, name, dtype, n):
    x = grid(name, dtype, n)
    most, where = 0.0, math.nan
    for at, y in zip(x, computed(command, name, dtype, x)):
        exact = truth(name, at)
        unit = ulp(max(abs(float(exact)), 1.0) if FUNCTIONS[name][4] == "1" else float(exact), dtype)
        error = float(abs(exact - y)) / unit if not isinstance(y, str) else math.inf
        if error > most:
            most, where = error, at
    return most, where


def main():
    command, n = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    passed = False
    for name, (_, _, _, bounds, unit) in FUNCTIONS.items():
        for dtype, bound in zip(EPSILON, bounds):
            most, where = worst(command, name, dtype, n)
            passed |= most > bound
            print(f"{name:12} {dtype}  {most:8.2f} ulp of {'y' if unit == 'y' else 'max(|y|, 1)':12} at {where:<24.17g} bound {bound}")
    return passed


if __name__ == "__main__":
    sys.exit(main())
