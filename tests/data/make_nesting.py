"""Writes nesting.txt: derivatives of order 0 to 5 of the functions of test_nesting.c, by mpmath to 60 digits.

A line is: function, x, order, value. The functions are those of the table in tests/graph/test_nesting.c, by name."""
import pathlib

import mpmath as mp

mp.mp.dps = 60
functions = {
    "gauss": lambda x: mp.exp(-x * x),
    "waves": lambda x: mp.sin(x) * mp.exp(mp.cos(2 * x)),
    "tower": lambda x: mp.tanh(mp.tanh(mp.tanh(x))),
    "ratio": lambda x: mp.log(1 + x * x) / mp.sqrt(2 + x),
    "power": lambda x: x ** x,
    "gamma": lambda x: mp.loggamma(x) * mp.atan(x),
    "error": lambda x: mp.erf(x) / (1 + mp.exp(-3 * x)),
}
points = ["0.3", "0.75", "1.5", "2.25"]
lines = []
for name, f in functions.items():
    for point in points:
        x = mp.mpf(float(point))  # the double that the test uses
        for order, c in enumerate(mp.taylor(f, x, 5)):
            lines.append(f"{name} {point} {order} {mp.nstr(c * mp.factorial(order), 20)}\n")
pathlib.Path(__file__).with_name("nesting.txt").write_text("".join(lines))
