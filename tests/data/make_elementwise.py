#!/usr/bin/python3
"""Reference values of the elementwise and selection families, written to elementwise.jsonl beside this file.

Values and slopes come from mpmath, in the textbook form of each function and with so many digits that nothing cancels;
what is a convention, at a kink, a tie or beside a NaN, is written by hand with its reason. One JSON object a line: a
`wengert call` request and the answer expected of it.
"""
import json
import math
import os

from mpmath import mp, mpf
import mpmath as m

ULP = 2.0**-52
lines = []


def number(x):
    x = float(x)
    if not math.isfinite(x):
        return str(x)
    return int(x) if x == int(x) and 0 < abs(x) < 1e6 else x


def tensor(data, shape=None, dtype="float64"):
    data = list(data) if isinstance(data, (list, tuple)) else [data]
    if dtype == "float64":
        data = [number(x) for x in data]
    return {"dtype": dtype, "shape": [len(data)] if shape is None else list(shape), "data": data}


def case(op, inputs, values=None, vjp=None, jvp=None, attrs=None, rtol=8 * ULP, atol=0.0, why=None, f32=False,
         error=None,
         cotangent=None, tangents=None):
    """vjp and jvp are for cotangents and tangents of ones, unless others are given."""
    line = {"op": op, "inputs": inputs}
    if attrs:
        line["attrs"] = attrs
    expect = {}
    if error:
        expect["error"] = error
    else:
        expect["values"] = [values]
        if vjp is not None:
            line["cotangents"] = [cotangent or tensor([1.0] * len(values["data"]), values["shape"])]
            expect["vjp"] = vjp
        if jvp is not None:
            line["tangents"] = tangents or [
                tensor([1.0] * len(x["data"]), x["shape"]) if x and x["dtype"] == "float64" else None for x in inputs]
            expect["jvp"] = [jvp]
    line["expect"] = expect
    if not error:
        line["rtol"], line["atol"] = rtol, atol
    if f32:
        line["f32"] = True
    if why:
        line["why"] = why
    lines.append(line)


# ---- One input: f and its slope over points -------------------------------------------------------------------------
GRID = [k / 16 - 2.03125 for k in range(0, 66, 8)]  # exact in float32, around 0, never on an integer


def unary(op, f, slope, points, attrs=None, digits=50, rtol=8 * ULP, grid=GRID, atol=0.0, f32=True):
    for xs, is_grid in ((grid, True), (points, False)):
        if not xs:
            continue
        mp.dps = digits
        ys = [f(mpf(x)) for x in xs]
        ds = [slope(mpf(x)) for x in xs]
        case(op, [tensor(xs)], tensor(ys), [tensor(ds)], tensor(ds), attrs, rtol, atol, f32=f32 and is_grid)
    x = (grid or points)[-1]
    mp.dps = digits
    y, d = f(mpf(x)), slope(mpf(x))
    case(op, [tensor(x, [])], tensor(y, []), [tensor(d, [])], tensor(d, []), attrs, rtol, atol, why="0-d")
    if attrs:
        return
    empty = tensor([], [0, 3])
    case(op, [empty], empty, [empty], empty, attrs, why="nothing in it")


zero = lambda x: mpf(0)
POSITIVE = [k / 16 for k in range(3, 60, 7)]
INSIDE = [k / 64 for k in range(-61, 62, 14)]
HUGE = [-700, -100, -40, -20, 20, 40, 100, 700]
SMALL = [-1e-5, -1e-10, -1e-300, 1e-300, 1e-10, 1e-5]

unary("negative", lambda x: -x, lambda x: mpf(-1), [-1e300, 0.0, 1e-300])
unary("positive", lambda x: x, lambda x: mpf(1), [-1e300, 0.0, 1e-300])
unary("abs", abs, m.sign, [-1e300, -1e-300, 1e300])
unary("sign", m.sign, zero, [-1e300, -1e-300, 1e300])
unary("square", lambda x: x * x, lambda x: 2 * x, [-1e150, 1e-150, 1e-200])
unary("reciprocal", lambda x: 1 / x, lambda x: -1 / x**2, [-1e-100, 1e-100, 1e100, 1e150])
unary("sqrt", m.sqrt, lambda x: 1 / (2 * m.sqrt(x)), [1e-300, 1e-10, 1e300], grid=POSITIVE)
unary("rsqrt", lambda x: 1 / m.sqrt(x), lambda x: -1 / (2 * x * m.sqrt(x)), [1e-200, 1e-10, 1e200], grid=POSITIVE)
cbrt = lambda x: m.sign(x) * m.cbrt(abs(x))
unary("cbrt", cbrt, lambda x: 1 / (3 * cbrt(x) ** 2), [-1e300, -1e-300, 1e-300, 1e300])
unary("exp", m.exp, m.exp, HUGE + SMALL + [-744.0, 709.5])
unary("exp2", lambda x: mpf(2) ** x, lambda x: m.log(2) * mpf(2) ** x, [-1000, -30.5, 0.0, 1e-10, 1000])
unary("expm1", m.expm1, m.exp, HUGE + SMALL, digits=400)
unary("log", m.log, lambda x: 1 / x, [1e-300, 0.9999999, 1.0000001, 1e300], grid=POSITIVE)
unary("log2", lambda x: m.log(x) / m.log(2), lambda x: 1 / (x * m.log(2)), [1e-300, 0.999999, 1.000001, 1e300],
      grid=POSITIVE)
unary("log10", m.log10, lambda x: 1 / (x * m.log(10)), [1e-300, 0.999999, 1.000001, 1e300], grid=POSITIVE)
unary("log1p", m.log1p, lambda x: 1 / (1 + x), SMALL + [-0.9999999, 1e300], grid=[x for x in GRID if x > -1])
unary("log1mexp", lambda x: m.log(1 - m.exp(x)), lambda x: -m.exp(x) / (1 - m.exp(x)),
      [-700, -40, -0.6931471805599453, -0.69, -0.7, -1e-5, -1e-10, -1e-300], digits=400, grid=[-x for x in POSITIVE])
unary("entr", lambda x: -x * m.log(x), lambda x: -m.log(x) - 1, [1e-300, 1e-10, 1e10], grid=POSITIVE, atol=1e-16)
for op, f in (("floor", m.floor), ("ceil", m.ceil), ("round", m.nint),
              ("trunc", lambda x: m.sign(x) * m.floor(abs(x)))):
    unary(op, f, zero, [-1.5, -0.75, 0.25, 1e15 + 0.5, 1e300])

unary("sin", m.sin, m.cos, [-1e6, 1e-300, 3.141592653589793, 1e6], digits=60)
unary("cos", m.cos, lambda x: -m.sin(x), [-1e6, 1e-300, 1.5707963267948966, 1e6], digits=60)
unary("tan", m.tan, lambda x: 1 + m.tan(x) ** 2, [-1.57, 1e-300, 1.5707963, 1e6], digits=60)
inverse = lambda x: 1 / m.sqrt(1 - x * x)
EDGE = [-0.9999999999, -1e-10, 1e-300, 0.9999999999]
unary("asin", m.asin, inverse, EDGE, grid=INSIDE)
unary("acos", m.acos, lambda x: -inverse(x), EDGE, grid=INSIDE)
unary("atan", m.atan, lambda x: 1 / (1 + x * x), [-1e100, -1e10, 1e-300, 1e10])
unary("sinh", m.sinh, m.cosh, HUGE + SMALL)
unary("cosh", m.cosh, m.sinh, HUGE + SMALL)
unary("tanh", m.tanh, lambda x: 1 - m.tanh(x) ** 2, [-350, -300, -30, -19.1, -1e-8, 1e-300, 10, 19.1, 25, 30, 350],
      digits=400)
unary("asinh", m.asinh, lambda x: 1 / m.sqrt(1 + x * x), [-1e200, -1e10, -1e-10, 1e-300, 1e10, 1e200], digits=450)
unary("acosh", m.acosh, lambda x: 1 / m.sqrt(x * x - 1), [1.0000000001, 1.5, 1e10, 1e200], digits=450,
      grid=[1 + x for x in POSITIVE])
unary("atanh", m.atanh, lambda x: 1 / (1 - x * x), EDGE, grid=INSIDE)
sinc = lambda x: m.sinpi(x) / (m.pi * x)
unary("sinc", sinc, lambda x: (m.cospi(x) - sinc(x)) / x,
      [-3.0, -1.0, -0.2501, -0.2499, -1e-5, 1e-10, 0.1, 0.3, 2.0, 100.25, 1e6], digits=80, rtol=16 * ULP)

sigmoid = lambda x: 1 / (1 + m.exp(-x))
log1pexp = lambda x: m.log(1 + m.exp(x))
unary("sigmoid", sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)), HUGE + SMALL, digits=400)
unary("log_sigmoid", lambda x: m.log(sigmoid(x)), lambda x: 1 - sigmoid(x), HUGE + SMALL, digits=400)
unary("logit", lambda x: m.log(x / (1 - x)), lambda x: 1 / (x * (1 - x)),
      [1e-300, 1e-10, 0.4999999, 0.5000001, 0.9999999999],
      grid=[x for x in POSITIVE if x < 1] + [0.75, 0.375])
unary("softplus", log1pexp, sigmoid, [-700, -100, -40, -1e-10, 10, 19.5], digits=400)
unary("softplus", lambda x: log1pexp(2 * x) / 2, lambda x: sigmoid(2 * x), [-300, -40, 0.4],
      {"beta": 2, "threshold": 1}, digits=400, grid=[])
unary("softplus", lambda x: x, lambda x: mpf(1), [20.5, 21.0, 700], grid=[])
unary("softsign", lambda x: x / (1 + abs(x)), lambda x: 1 / (1 + abs(x)) ** 2, [-1e100, -1e8, -1e-10, 1e-300, 1e8])
relu = lambda x: max(x, mpf(0))
unary("relu", relu, lambda x: mpf(x > 0), [-1e300, -1e-300, 1e-300, 1e300])
unary("relu6", lambda x: min(relu(x), mpf(6)), lambda x: mpf(0 < x < 6), [-1e300, 5.5, 6.5, 1e300])
unary("leaky_relu", lambda x: x if x > 0 else x * mpf(0.01), lambda x: mpf(1) if x > 0 else mpf(0.01), [-1e300, 1e300])
unary("leaky_relu", lambda x: x if x > 0 else x / 4, lambda x: mpf(1) if x > 0 else mpf(0.25), [],
      {"negative_slope": 0.25})
unary("elu", lambda x: x if x > 0 else m.expm1(x), lambda x: mpf(1) if x > 0 else m.exp(x),
      [-700, -40, -1e-10, 1e-10, 800])
unary("elu", lambda x: x if x > 0 else 2 * m.expm1(x), lambda x: mpf(1) if x > 0 else 2 * m.exp(x), [], {"alpha": 2})
L, A = mpf("1.0507009873554804934193349852946"), mpf("1.6732632423543772848170429916717")
unary("selu", lambda x: L * x if x > 0 else L * A * m.expm1(x), lambda x: L if x > 0 else L * A * m.exp(x),
      [-700, -40, -1e-10, 800])
unary("celu", lambda x: x if x > 0 else m.expm1(x), lambda x: mpf(1) if x > 0 else m.exp(x), [-700, -40, -1e-10, 800])
unary("celu", lambda x: x if x > 0 else 2 * m.expm1(x / 2), lambda x: mpf(1) if x > 0 else m.exp(x / 2), [-1400, -40],
      {"alpha": 2})
normal = lambda x: m.erfc(-x / m.sqrt(2)) / 2
density = lambda x: m.exp(-x * x / 2) / m.sqrt(2 * m.pi)
unary("gelu", lambda x: x * normal(x), lambda x: normal(x) + x * density(x), [-37, -30, -10, -5, -1e-10, 5, 10, 37],
      rtol=32 * ULP)
cube = lambda x: 2 * m.sqrt(2 / m.pi) * (x + mpf(0.044715) * x**3)
unary("gelu", lambda x: x * sigmoid(cube(x)),
      lambda x: sigmoid(cube(x)) * (1 + x * (1 - sigmoid(cube(x))) * m.diff(cube, x)),
      [-10, -5, -1e-10, 5, 10, 40, 1e30], {"approximate": "tanh"}, digits=400, rtol=400 * ULP)
unary("silu", lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x))),
      [-700, -40, -10, -1e-10, 10, 40, 700], digits=400, rtol=32 * ULP)
mish = lambda x: m.tanh(log1pexp(x))
unary("mish", lambda x: x * mish(x), lambda x: mish(x) + x * (1 - mish(x) ** 2) * sigmoid(x),
      [-700, -40, -10, -1e-10, 10, 40], digits=400, rtol=32 * ULP)
clip = lambda lo, hi: (lambda x: min(max(x, mpf(lo)), mpf(hi)))
between = lambda lo, hi: (lambda x: mpf(lo < x < hi))
unary("hardtanh", clip(-1, 1), between(-1, 1), [-1e300, 0.5, 1e300])
unary("hardtanh", clip(-0.5, 2), between(-0.5, 2), [], {"min_val": -0.5, "max_val": 2})
unary("hardsigmoid", lambda x: clip(0, 1)((x + 3) / 6), lambda x: between(-3, 3)(x) / 6,
      [-1e300, -2.9999999, 0.5, 1e300])
unary("hardswish", lambda x: x * clip(0, 1)((x + 3) / 6), lambda x: mpf(x >= 3) if abs(x) >= 3 else (2 * x + 3) / 6,
      [-1e300, -2.9999999, 0.5, 1e300])
unary("softshrink", lambda x: m.sign(x) * relu(abs(x) - 0.5), lambda x: mpf(abs(x) > 0.5), [-1e300, 0.25, 1e300])
unary("softshrink", lambda x: m.sign(x) * relu(abs(x) - 1), lambda x: mpf(abs(x) > 1), [], {"lambd": 1})
unary("hardshrink", lambda x: x if abs(x) > 0.5 else mpf(0), lambda x: mpf(abs(x) > 0.5), [-1e300, 0.25, 1e300])
unary("tanhshrink", lambda x: x - m.tanh(x), lambda x: m.tanh(x) ** 2, [-40, -1e-5, -1e-10, 1e-3, 0.99, 1.01, 40],
      digits=60, rtol=16 * ULP)
unary("threshold", lambda x: x if x > 0.25 else mpf(-7), lambda x: mpf(x > 0.25), [-1e300, 1e300],
      {"threshold": 0.25, "value": -7})
unary("clip", clip(-0.5, 1), lambda x: mpf(-0.5 <= x <= 1), [-1e300, 1e300], {"min": -0.5, "max": 1})
unary("clip", lambda x: max(x, mpf(0)), lambda x: mpf(x >= 0), [], {"min": 0})
unary("clip", lambda x: x, lambda x: mpf(1), [])
unary("nan_to_num", lambda x: x, lambda x: mpf(1), [-1.7976931348623157e308, 1.7976931348623157e308])

TAIL = 64 * ULP  # exp(x^2) multiplies a rounding error of x^2 by itself
unary("erf", m.erf, lambda x: 2 / m.sqrt(m.pi) * m.exp(-x * x), [-5, -1e-10, 1e-300, 5, 10, 25], rtol=16 * ULP)
unary("erfc", m.erfc, lambda x: -2 / m.sqrt(m.pi) * m.exp(-x * x), [-5, -1e-10, 1e-300, 3, 5, 10, 25], digits=400,
      rtol=16 * ULP)
erfcx = lambda x: m.exp(x * x) * m.erfc(x)
unary("erfcx", erfcx, lambda x: 2 * x * erfcx(x) - 2 / m.sqrt(m.pi),
      [-20, -5, -1e-10, 1.5, 1.99, 2.01, 3, 5, 10, 30, 100], digits=120, rtol=TAIL)
unary("erfinv", m.erfinv, lambda x: m.sqrt(m.pi) / 2 * m.exp(m.erfinv(x) ** 2),
      [-0.99999, -0.9, -1e-10, 1e-300, 0.5, 0.95, 0.9999999999], digits=40, grid=INSIDE, rtol=TAIL)
unary("ndtr", normal, density, [-37, -30, -20, -10, -5, -1e-10, 1e-10, 5, 10], digits=400, rtol=16 * ULP)
unary("log_ndtr", lambda x: m.log(normal(x)), lambda x: density(x) / normal(x),
      [-100, -40, -20, -5, -1.01, -0.99, -1e-10, 5, 10, 30], digits=400, rtol=TAIL)
normal_inverse = lambda p: m.findroot(lambda y: m.log(normal(y)) - m.log(p),
                                      -m.sqrt(-2 * m.log(p)) if p < 0.1 else mpf(0) + (p - mpf(0.5)) * 2.5)
unary("ndtri", normal_inverse, lambda p: 1 / density(normal_inverse(p)),
      [1e-300, 1e-100, 1e-10, 0.01, 0.049, 0.051, 0.3, 0.9, 0.96], digits=40, grid=[], rtol=TAIL)
unary("lgamma", lambda x: m.log(abs(m.gamma(x))), m.digamma, [-20.5, -1.5, -0.5, 1e-10, 0.5, 3, 100, 1e10], digits=40,
      grid=POSITIVE, rtol=TAIL, atol=1e-15)
unary("digamma", m.digamma, lambda x: m.polygamma(1, x), [-20.25, -1.5, -0.25, 1e-10, 0.5, 3, 9.99, 10.01, 100, 1e10],
      digits=40, grid=POSITIVE, rtol=TAIL, atol=1e-15)
for n in (0, 1, 2, 5):
    unary("polygamma", lambda x: m.polygamma(n, x), lambda x: m.polygamma(n + 1, x), [0.01, 0.5, 3, 11.9, 50, 1000],
          {"n": n}, digits=40, grid=POSITIVE, rtol=TAIL, atol=1e-15)
unary("polygamma", lambda x: m.psi(1, x), lambda x: m.psi(2, x), [-20.25, -1.5, -0.25], {"n": 1}, digits=40, grid=[],
      rtol=TAIL, atol=1e-12)
I = m.besseli
s = lambda x: m.exp(-abs(x))
BESSEL = [-40, -30.5, -29.5, -10, -1e-5, 1e-10, 20, 29.9, 30.1, 100, 600]
unary("i0", lambda x: I(0, x), lambda x: I(1, x), BESSEL, rtol=TAIL)
unary("i1", lambda x: I(1, x), lambda x: (I(0, x) + I(2, x)) / 2, BESSEL, rtol=TAIL)
unary("i0e", lambda x: s(x) * I(0, x), lambda x: s(x) * (I(1, x) - m.sign(x) * I(0, x)), BESSEL, rtol=TAIL)
unary("i1e", lambda x: s(x) * I(1, x), lambda x: s(x) * ((I(0, x) + I(2, x)) / 2 - m.sign(x) * I(1, x)), BESSEL,
      rtol=TAIL, atol=1e-16, f32=False)
unary("j0", lambda x: m.besselj(0, x), lambda x: -m.besselj(1, x), [-10, -1e-5, 1e-10, 2.4, 20, 1000], rtol=TAIL,
      atol=1e-17)
unary("j1", lambda x: m.besselj(1, x), lambda x: (m.besselj(0, x) - m.besselj(2, x)) / 2,
      [-10, -1e-5, 1e-10, 3.8, 20, 1000], rtol=TAIL, atol=1e-17)


# ---- Two and three inputs -------------------------------------------------------------------------------------------
def points(op, f, slopes, rows, attrs=None, digits=50, rtol=8 * ULP, atol=0.0, why=None, f32=False):
    """Each row holds one value of each input; f and the slopes are functions of them."""
    mp.dps = digits
    columns = [tensor(list(c)) for c in zip(*rows)]
    ys = [f(*map(mpf, row)) for row in rows]
    ds = [[d(*map(mpf, row)) for row in rows] for d in slopes]
    case(op, columns, tensor(ys), [tensor(d) for d in ds], tensor([sum(t) for t in zip(*ds)]), attrs, rtol, atol, why,
         f32)


def broadcast(op, f, slopes, shapes, data, attrs=None, rtol=8 * ULP):
    """Inputs of different shapes: each gradient is summed over the axes along which its input stretched."""
    mp.dps = 50
    rank = max(map(len, shapes))
    full = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    out = [0 if any(d[i] == 0 for d in full) else max(d[i] for d in full) for i in range(rank)]
    places = [[]]
    for d in out:
        places = [p + [i] for p in places for i in range(d)]

    def at(shape, place):
        k = 0
        for d, i in zip(shape, place):
            k = k * d + (i if d > 1 else 0)
        return k
    ys, sums, jvp = [], [[mpf(0)] * len(x) for x in data], []
    for p in places:
        at_p = [at(s, p) for s in full]
        row = [mpf(x[k]) for x, k in zip(data, at_p)]
        ys.append(f(*row))
        ds = [d(*row) for d in slopes]
        jvp.append(sum(ds))
        for total, k, d in zip(sums, at_p, ds):
            total[k] += d
    case(op, [tensor(x, s) for x, s in zip(data, shapes)], tensor(ys, out),
         [tensor(g, s) for g, s in zip(sums, shapes)],
         tensor(jvp, out), attrs, rtol, 1e-15, "broadcast " + " ".join(map(str, shapes)))


X, Y = [-1.5, 0.25, 2.0, 0.75, -0.5, 3.0], [0.5, 1.75, 2.5, 1.25, 3.5, 0.625]
SHAPES = [([2, 3], [3]), ([2, 1], [1, 3]), ([], [2, 3]), ([2, 3], []), ([], []), ([0, 3], [1]), ([3], [2, 1, 1])]


def binary(op, f, da, db, rows, shapes=SHAPES, a=X, b=Y, **how):
    points(op, f, (da, db), [(p, q) for p in a[:3] for q in b[:3]], f32=True, **how)
    if rows:
        points(op, f, (da, db), rows, **how)
    for sa, sb in shapes if op in ("add", "divide") else shapes[1:3]:
        broadcast(op, f, (da, db), (sa, sb), (a[:math.prod(sa)], b[:math.prod(sb)]), rtol=how.get("rtol", 8 * ULP))


one, minus = lambda a, b: mpf(1), lambda a, b: mpf(-1)
nothing = lambda a, b: mpf(0)
first, second = lambda a, b: a, lambda a, b: b
EXTREME = [(1e200, -1e-200), (-1e-200, 1e100), (1e-300, 1e-5), (-3.0, 1e-100)]
P = [abs(x) for x in X]
binary("add", lambda a, b: a + b, one, one, EXTREME)
binary("subtract", lambda a, b: a - b, one, minus, EXTREME)
binary("multiply", lambda a, b: a * b, second, first, EXTREME)
binary("divide", lambda a, b: a / b, lambda a, b: 1 / b, lambda a, b: -a / b**2,
       [(1e-200, 1e-100), (1e100, 1e200), (1e-300, 1e-200), (-3.0, 1e50)])
binary("squared_difference", lambda a, b: (a - b) ** 2, lambda a, b: 2 * (a - b), lambda a, b: -2 * (a - b),
       [(1.0, 0.9999999), (1e100, -1e100)])
trunc = lambda x: m.sign(x) * m.floor(abs(x))
HARD = [(1.0, 0.1), (-1.0, 0.1), (1.0, -0.1), (-7.5, 2.0), (7.5, -2.0), (6.0, 0.3), (1e15, 0.7), (5e-324, 1.0),
        (0.3, 1e300)]
exact = [(7.0, 3.0), (-7.0, 3.0), (5.5, 2.5)]
binary("floor_divide", lambda a, b: m.floor(a / b), nothing, nothing, HARD + exact,
       a=[-1.5, 0.3, 2.1, 0.75, -0.5, 3.0], digits=60)
binary("remainder", lambda a, b: a - m.floor(a / b) * b, one, lambda a, b: -m.floor(a / b), HARD[:-2] + exact,
       a=[-1.5, 0.3, 2.1, 0.75, -0.5, 3.0], digits=400, rtol=2 * ULP)
binary("fmod", lambda a, b: a - trunc(a / b) * b, one, lambda a, b: -trunc(a / b), HARD + exact,
       a=[-1.5, 0.3, 2.1, 0.75, -0.5, 3.0], digits=400, rtol=2 * ULP)
binary("pow", lambda a, b: a**b, lambda a, b: b * a ** (b - 1), lambda a, b: a**b * m.log(a),
       [(1e-3, 3.5), (1e100, 2.5), (1e-200, 1.5), (2.0, -1000.0), (1.0000001, 1e6), (0.5, 0.0), (2.0, 0.0)], a=P,
    rtol=16 * ULP)
squared = lambda a, b: a * a + b * b
binary("atan2", lambda a, b: m.atan2(a, b), lambda a, b: b / squared(a, b), lambda a, b: -a / squared(a, b),
       [(1e200, 1e200), (1e-200, 1e-200), (1.0, -2.0), (-1.0, -2.0), (-1e-100, 1.0), (1.0, 0.0)], digits=60)
binary("hypot", lambda a, b: m.sqrt(squared(a, b)), lambda a, b: a / m.sqrt(squared(a, b)), lambda a,
       b: b / m.sqrt(squared(a, b)),
       [(1e200, 1e200), (3e-200, 4e-200), (-1e300, 1.0), (0.0, -2.0)], digits=60)
sign = lambda x: m.sign(x)
binary("copysign", lambda a, b: abs(a) * sign(b), lambda a, b: sign(a) * sign(b), nothing,
       [(-2.0, 3.0), (2.0, -3.0), (-2.0, -3.0), (1e-300, -1e300)])
binary("maximum", max, lambda a, b: mpf(a > b), lambda a, b: mpf(b > a), [(-1e300, 1e300), (0.1, 0.1000001)],
       a=[x - 0.1 for x in X], shapes=SHAPES)
binary("minimum", min, lambda a, b: mpf(a < b), lambda a, b: mpf(b < a), [(-1e300, 1e300), (0.1, 0.1000001)],
       a=[x - 0.1 for x in X])
binary("fmax", max, lambda a, b: mpf(a > b), lambda a, b: mpf(b > a), [(-1e300, 1e300), (0.1, 0.1000001)],
       a=[x - 0.1 for x in X])
binary("fmin", min, lambda a, b: mpf(a < b), lambda a, b: mpf(b < a), [(-1e300, 1e300), (0.1, 0.1000001)],
       a=[x - 0.1 for x in X])
FAR = [(-700.0, -710.0), (700.0, 600.0), (-1000.0, 0.0), (1000.0, 1000.0), (-1000.0, -1000.0), (3.0, -40.0)]
share = lambda a, b: 1 / (1 + m.exp(b - a))
binary("logaddexp", lambda a, b: m.log(m.exp(a) + m.exp(b)), share, lambda a, b: share(b, a), FAR, digits=700)
share2 = lambda a, b: 1 / (1 + mpf(2) ** (b - a))
binary("logaddexp2", lambda a, b: m.log(mpf(2) ** a + mpf(2) ** b) / m.log(2), share2, lambda a, b: share2(b, a), FAR,
       digits=700)
binary("xlogy", lambda a, b: a * m.log(b), lambda a, b: m.log(b), lambda a, b: a / b,
       [(1e-300, 1e-300), (1e100, 1e100), (2.0, 1.0000001)])
binary("xlog1py", lambda a, b: a * m.log1p(b), lambda a, b: m.log1p(b), lambda a, b: a / (1 + b),
       [(1e-300, 1e-10), (1e100, 1e100), (2.0, -0.999999)])

Z = [0.25, -0.75, 1.5, 0.5, 1.0, -2.0]
TRIPLES = [([2, 3], [3], []), ([2, 1], [1, 3], [2, 3]), ([], [2, 1], [3]), ([], [], []), ([0, 3], [1], [3])]


def ternary(op, f, slopes, rows, attrs=None, c=Z, **how):
    points(op, f, slopes, [(p, q, r) for p in X[:2] for q in Y[:2] for r in c[:3]], attrs, f32=True, **how)
    if rows:
        points(op, f, slopes, rows, attrs, **how)
    for shapes in TRIPLES if op == "fma" else TRIPLES[:2]:
        broadcast(op, f, slopes, shapes, [v[:math.prod(s)] for v, s in zip((X, Y, c), shapes)], attrs)


ternary("fma", lambda a, b, c: a * b + c, (lambda a, b, c: b, lambda a, b, c: a, lambda a, b, c: mpf(1)),
        [(1.0000001, 0.9999999, -1.0)], rtol=ULP, digits=60)
ternary("lerp", lambda a, b, c: a + c * (b - a), (lambda a, b, c: 1 - c, lambda a, b, c: c, lambda a, b, c: b - a),
        [(1e-3, 7.0, 0.25)])
for value in (1, -0.5):
    ternary("addcmul", lambda a, b, c: a + value * b * c,
            (lambda a, b, c: mpf(1), lambda a, b, c: value * c, lambda a, b, c: value * b), [],
    {"value": value} if value != 1 else None)
    ternary("addcdiv", lambda a, b, c: a + value * b / c,
            (lambda a, b, c: mpf(1), lambda a, b, c: value / c, lambda a, b, c: -value * b / c**2),
            [(1.0, 1e-200, 1e-150)], {"value": value} if value != 1 else None)

# ---- Conventions: at kinks and ties, beside infinities and NaN ------------------------------------------------------
nan = math.nan


def convention(op, xs, ys, ds, why, attrs=None):
    case(op, [tensor(xs)], tensor(ys), None if ds is None else [tensor(ds)], None if ds is None else tensor(ds), attrs,
         why=why)


convention("abs", [0.0, -0.0], [0, 0], [0, 0], "derivative 0 at 0")
convention("sign", [0.0, nan], [0, nan], None, "0 at 0; NaN of a NaN")
convention("relu", [0.0], [0], [0], "derivative 0 at 0")
convention("relu", [nan, -math.inf, math.inf], [nan, 0, math.inf], None, "a NaN stays one")
convention("relu6", [0.0, 6.0], [0, 6], [0, 0], "derivative 0 on the closed ends")
convention("hardtanh", [-1.0, 1.0], [-1, 1], [0, 0], "derivative 0 on the closed ends")
convention("clip", [-1.0, 1.0], [-1, 1], [1, 1], "derivative 1 on the closed interval", {"min": -1, "max": 1})
convention("leaky_relu", [0.0], [0], [0.01], "the negative branch's slope at 0")
convention("elu", [0.0], [0], [2], "the negative branch's slope at 0", {"alpha": 2})
convention("celu", [0.0], [0], [1], "the negative branch's slope at 0", {"alpha": 2})
convention("selu", [0.0], [0], [float(L * A)], "the negative branch's slope at 0")
convention("hardsigmoid", [-3.0, 3.0], [0, 1], [0, 0], "the outer piece at -3 and 3")
convention("hardswish", [-3.0, 3.0], [0, 3], [0, 1], "the outer piece at -3 and 3")
convention("softshrink", [-0.5, 0.5, 0.0], [0, 0, 0], [0, 0, 0], "0 at +-lambd")
convention("hardshrink", [-0.5, 0.5, 0.0], [0, 0, 0], [0, 0, 0], "0 at +-lambd")
convention("threshold", [0.5], [9], [0], "at the threshold x is replaced", {"threshold": 0.5, "value": 9})
convention("softplus", [20.0, 20.5], [float(m.log(1 + m.exp(20))), 20.5], [float(sigmoid(20)), 1],
           "slope exactly 1 above the threshold")
convention("round", [-1.5, -0.5, 0.5, 1.5, 2.5], [-2, 0, 0, 2, 2], [0] * 5, "half to even")
convention("floor", [-1.0, 2.0], [-1, 2], [0, 0], "derivative 0")
convention("sqrt", [0.0], [0], [math.inf], "derivative inf at 0")
convention("cbrt", [0.0], [0], [math.inf], "derivative inf at 0")
convention("sinc", [0.0, 1.0, -2.0], [1, 0, 0], [0, -1, -0.5], "1 at 0, exactly 0 at the integers")
convention("entr", [0.0, -1.0], [0, -math.inf], None, "0 at 0, -inf below")
convention("tanhshrink", [0.0], [0], [0], "0 at 0")
convention("silu", [0.0], [0], [0.5], "1/2 at 0")
convention("logit", [0.01, 0.99, 0.5], [math.log(0.1 / 0.9), -math.log(0.1 / 0.9), 0], [0, 0, 4],
           "derivative 0 where x is clamped", {"eps": 0.1})
convention("nan_to_num", [nan, math.inf, -math.inf, 2.0], [0, 1.7976931348623157e308, -1.7976931348623157e308, 2],
           [0, 0, 0, 1], "derivative 0 where x is replaced")
convention("nan_to_num", [nan, math.inf, -math.inf, 2.0], [1, 5, -5, 2], [0, 0, 0, 1], "the numbers given",
           {"nan": 1, "posinf": 5, "neginf": -5})
convention("tanh", [-math.inf, math.inf, nan], [-1, 1, nan], None, "at infinity")
convention("sigmoid", [-math.inf, math.inf, nan], [0, 1, nan], None, "at infinity")
convention("exp", [-math.inf, math.inf, -800, 800], [0, math.inf, 0, math.inf], None,
           "at infinity and beyond the range")
convention("log", [0.0, math.inf, -1.0], [-math.inf, math.inf, nan], None, "at the ends")
convention("erfinv", [-1.0, 1.0, 0.0, 1.5], [-math.inf, math.inf, 0, nan], None, "at the ends and outside")
convention("ndtri", [0.0, 1.0, 0.5, -0.5], [-math.inf, math.inf, 0, nan], None, "at the ends and outside")
convention("lgamma", [0.0, -1.0, 1.0, 2.0], [math.inf, math.inf, 0, 0], None, "the poles")
convention("i0e", [0.0], [1], [0], "derivative 0 at 0, a kink")
convention("i1", [0.0], [0], [0.5], "1/2 at 0")
convention("j1", [0.0], [0], [0.5], "1/2 at 0")
mp.dps = 30
x = tensor([1.5, -2.0])
case("stop_gradient", [x], x, [tensor([0.0, 0.0])], tensor([0.0, 0.0]), why="a constant to every derivative")
case("gradient_reversal", [x], x, [tensor([-1.0, -1.0])], why="the gradient turned round")
case("gradient_reversal", [x], x, [tensor([-0.25, -0.25])], attrs={"scale": 0.25}, why="the gradient turned round")


def pair(op, a, b, y, da, db, why):
    case(op, [tensor(a), tensor(b)], tensor(y), None if da is None else [tensor(da), tensor(db)],
         None if da is None else tensor([p + q for p, q in zip(da, db)]), why=why)


for op in ("maximum", "minimum", "fmax", "fmin"):
    pair(op, [1.0, -2.0], [1.0, -2.0], [1, -2], [0.5, 0.5], [0.5, 0.5], "half to each at a tie")
pair("maximum", [nan, 1.0], [1.0, nan], [nan, nan], None, None, "NaN wins")
pair("minimum", [nan, 1.0], [1.0, nan], [nan, nan], None, None, "NaN wins")
pair("fmax", [nan, 1.0], [1.0, nan], [1, 1], [0, 1], [1, 0], "beside a NaN the number takes all")
pair("fmin", [nan, 1.0], [1.0, nan], [1, 1], [0, 1], [1, 0], "beside a NaN the number takes all")
pair("fmax", [nan], [nan], [nan], None, None, "both NaN")
pair("pow", [2.0, 0.0, -3.0, 1e-320], [0.0, 0.0, 0.0, 0.0], [1, 1, 1, 1], None, None, "1 where b is 0")
case("pow", [tensor([0.0, 0.0, 0.0]), tensor([2.0, 1.0, 0.0])], tensor([0, 0, 1]),
     [tensor([0, 1, 0]), tensor([0, 0, 0])],
     tensor([0, 1, 0]), why="a = 0: d/db 0 where b >= 0, d/da 0 where b = 0")
case("pow", [tensor([-2.0, -3.0]), tensor([3.0, 2.0])], tensor([-8, 9]), [tensor([12, -6]), tensor([nan, nan])],
     why="a negative base: d/db NaN")
case("pow", [tensor([-2.0, -3.0]), tensor([3.0, 2.0])], tensor([-8, 9]), [tensor([0, 0]), tensor([0, 0])],
     cotangent=tensor([0, 0]),
     why="a zero cotangent stays zero where the derivative is NaN")
pair("hypot", [0.0], [0.0], [0], [0], [0], "gradient 0 at the origin")
pair("atan2", [0.0], [0.0], [0], [0], [0], "gradient 0 at the origin")
pair("copysign", [0.0, -2.0, 2.0], [-1.0, 0.0, -0.0], [0, 2, -2], [0, -1, -1], [0, 0, 0],
     "derivative 0 at a = 0; b = 0 has a sign")
pair("logaddexp", [-math.inf, -math.inf, 1.0], [-math.inf, 1.0, -math.inf], [-math.inf, 1, 1], [0, 0, 1], [0, 1, 0],
     "gradient 0 of two -inf")
pair("logaddexp2", [-math.inf, -math.inf, 1.0], [-math.inf, 1.0, -math.inf], [-math.inf, 1, 1], [0, 0, 1], [0, 1, 0],
     "gradient 0 of two -inf")
pair("xlogy", [0.0, 0.0, 0.0], [2.0, 0.5, 1.0], [0, 0, 0], [math.log(2), math.log(0.5), 0], [0, 0, 0],
     "d/da at (0, b > 0) is log b")
pair("xlogy", [0.0, 0.0], [0.0, nan], [0, nan], None, None, "0 at a = 0 unless b is NaN")
pair("xlog1py", [0.0, 0.0], [-1.0, nan], [0, nan], None, None, "0 at a = 0 unless b is NaN")
pair("floor_divide", [1.0, 0.0, -1.0], [0.0, 0.0, 0.0], [math.inf, nan, -math.inf], None, None, "by zero")
case("lerp", [tensor([0.1, 0.1]), tensor([0.7, 0.7]), tensor([0.0, 1.0])], tensor([0.1, 0.7]), rtol=0.0,
     why="exact at weight 0 and 1")
for op in ("sqrt", "cbrt", "rsqrt", "log", "entr"):
    z = tensor([0.0])
    y = {"sqrt": 0, "cbrt": 0, "rsqrt": math.inf, "log": -math.inf, "entr": 0}[op]
    case(op, [z], tensor([y]), [z], z, cotangent=z, tangents=[z],
         why="a zero cotangent or tangent stays zero where the derivative is infinite")

# An end of the domain, where the slope is infinite or NaN, and a point inside it: the cotangent, and the tangent, is zero at
# the end alone.
mp.dps = 50
for op, end, inside, f, slope in (
        ("reciprocal", 0.0, 2.0, lambda x: 1 / x, lambda x: -1 / x**2),
        ("log2", 0.0, 2.0, lambda x: m.log(x) / m.log(2), lambda x: 1 / (x * m.log(2))),
        ("log10", 0.0, 100.0, m.log10, lambda x: 1 / (x * m.log(10))),
        ("log1p", -1.0, 1.0, m.log1p, lambda x: 1 / (1 + x)),
        ("log1mexp", 0.0, -1.0, lambda x: m.log(1 - m.exp(x)), lambda x: -m.exp(x) / (1 - m.exp(x))),
        ("asin", 1.0, 0.5, m.asin, inverse), ("acos", -1.0, 0.5, m.acos, lambda x: -inverse(x)),
        ("acosh", 1.0, 2.0, m.acosh, lambda x: 1 / m.sqrt(x * x - 1)),
        ("atanh", -1.0, 0.5, m.atanh, lambda x: 1 / (1 - x * x)),
        ("logit", 1.0, 0.5, lambda x: m.log(x / (1 - x)), lambda x: 1 / (x * (1 - x))),
        ("erfinv", 1.0, 0.0, m.erfinv, lambda x: m.sqrt(m.pi) / 2 * m.exp(m.erfinv(x) ** 2)),
        ("ndtri", 0.0, 0.5, lambda x: m.sqrt(2) * m.erfinv(2 * x - 1),
         lambda x: m.sqrt(2 * m.pi) * m.exp(m.erfinv(2 * x - 1) ** 2)),
        ("digamma", 0.0, 1.0, lambda x: m.psi(0, x), lambda x: m.psi(1, x)),
        ("lgamma", -1.0, 3.0, m.loggamma, lambda x: m.psi(0, x)),
        ("exp", math.inf, 1.0, m.exp, m.exp), ("sin", math.inf, 0.0, m.sin, m.cos),
        ("square", nan, 3.0, lambda x: x * x, lambda x: 2 * x)):
    at_end = {"reciprocal": math.inf, "log2": -math.inf, "log10": -math.inf, "log1p": -math.inf, "log1mexp": -math.inf,
              "asin": m.pi / 2, "acos": m.pi, "acosh": 0, "atanh": -math.inf, "logit": math.inf, "erfinv": math.inf,
              "ndtri": -math.inf, "digamma": nan, "lgamma": math.inf, "exp": math.inf, "sin": nan, "square": nan}[op]
    weights, d = tensor([0, 3]), tensor([0, 3 * slope(mpf(inside))])
    case(op, [tensor([end, inside])], tensor([at_end, f(mpf(inside))]), [d], d, cotangent=weights, tangents=[weights],
         rtol=64 * ULP, why="a zero cotangent or tangent stays zero at the end of the domain, beside one that is not")


def strong_pair(op, a, b, y, why):
    z = tensor([0.0])
    case(op, [tensor([a]), tensor([b])], tensor([y]), [z, z], z, cotangent=z, tangents=[z, z], why=why)


strong_pair("divide", 1.0, 0.0, math.inf, "a zero cotangent stays zero at a pole")
strong_pair("divide", 0.0, 0.0, nan, "a zero cotangent stays zero beside a NaN")
strong_pair("multiply", 0.0, math.inf, nan, "a zero cotangent stays zero beside infinity")
strong_pair("pow", 0.0, 0.5, 0, "a zero cotangent stays zero where the slope is infinite")
strong_pair("pow", 0.0, -1.0, math.inf, "a zero cotangent stays zero at a pole")
strong_pair("xlogy", 1.0, 0.0, -math.inf, "a zero cotangent stays zero at the end of the domain")
strong_pair("xlog1py", 1.0, -1.0, -math.inf, "a zero cotangent stays zero at the end of the domain")
strong_pair("fmod", 1.0, 0.0, nan, "a zero cotangent stays zero beside a NaN")
strong_pair("remainder", 1.0, 0.0, nan, "a zero cotangent stays zero beside a NaN")
pair("fmin", [nan], [nan], [nan], None, None, "both NaN")
pair("squared_difference", [1.0, -2.0], [1.0, -2.0], [0, 0], [0, 0], [0, 0], "derivative 0 where they are equal")

# ---- Comparisons, questions, logic ----------------------------------------------------------------------------------
truth = lambda data, shape=None: tensor(data, shape, "bool")
ints = lambda data, shape=None, dtype="int64": tensor(data, shape, dtype)
COMPARE = {"equal": lambda a, b: a == b, "not_equal": lambda a, b: a != b, "less": lambda a, b: a < b,
           "less_equal": lambda a, b: a <= b, "greater": lambda a, b: a > b, "greater_equal": lambda a, b: a >= b}
A1, B1 = [1.0, 2.0, nan, math.inf, -math.inf, 0.0, 3.0, 1.0, -1.0], [1.0, 1.0, nan, math.inf, 0.0, -0.0, 4.0, nan, 2.0]
for op, f in COMPARE.items():
    case(op, [tensor(A1), tensor(B1)], truth([f(a, b) for a, b in zip(A1, B1)]))
    case(op, [ints([1, 2, 3, -(2**62)]), ints([1, 3, 2, -(2**62) + 1])],
         truth([f(a, b) for a, b in zip([1, 2, 3, 0], [1, 3, 2, 1])]), why="int64, exactly")
    case(op, [ints([1, 2, 3], dtype="int32"), ints([2], dtype="int32")], truth([f(a, 2) for a in (1, 2, 3)]),
         why="int32, broadcast")
    case(op, [truth([True, True, False]), truth([True, False, False])],
         truth([f(a, b) for a, b in ((1, 1), (1, 0), (0, 0))]))
    case(op, [tensor([1.0]), ints([1])], error="dtype")
    case(op, [tensor([1.0, 2.0]), tensor([1.0, 2.0, 3.0])], error="shape")
    case(op, [tensor([], [0, 2]), tensor([1.0, 2.0])], truth([], [0, 2]))
Q = [nan, math.inf, -math.inf, 0.0, 1e308, -1.0, 5e-324, 2.0, nan]
for op, f in (("isnan", math.isnan), ("isinf", math.isinf), ("isfinite", math.isfinite)):
    case(op, [tensor(Q)], truth([f(x) for x in Q]))
    case(op, [tensor(nan, [])], truth([f(nan)], []))
    case(op, [tensor([], [0])], truth([], [0]))
for op, f in (("logical_and", lambda a, b: a and b), ("logical_or", lambda a, b: a or b),
              ("logical_xor", lambda a, b: a != b)):
    case(op, [truth([True, True, False, False]), truth([True, False, True, False])],
         truth([f(a, b) for a in (True, False) for b in (True, False)]))
    case(op, [truth([True, False], [2, 1]), truth([True, False], [1, 2])],
         truth([f(a, b) for a in (True, False) for b in (True, False)], [2, 2]))
    case(op, [tensor([1.0]), tensor([1.0])], error="dtype")
case("logical_not", [truth([True, False])], truth([False, True]))
case("logical_not", [ints([1])], error="dtype")

# ---- Selection, cast, ldexp -----------------------------------------------------------------------------------------
cond = truth([True, False, True])
case("where", [cond, tensor([1.0, nan, 3.0]), tensor([nan, 5.0, math.inf])], tensor([1, 5, 3]),
     [None, tensor([1, 0, 1]), tensor([0, 1, 0])], tensor([1, 1, 1]),
     why="what is left out reaches neither value nor gradient")
case("where", [truth([True, False], [2, 1]), tensor([1.0, 2.0, 3.0]), tensor(9.0, [])],
     tensor([1, 2, 3, 9, 9, 9], [2, 3]),
     [None, tensor([1, 1, 1]), tensor(3.0, [])], tensor([1] * 6, [2, 3]), why="broadcast")
case("where", [cond, tensor([1.0, 2.0, 3.0]), tensor([4.0, 5.0, 6.0])], tensor([1, 5, 3]),
     [None, tensor([nan, 0, math.inf]), tensor([0, 7, 0])],
     cotangent=tensor([nan, 7, math.inf]), why="a cotangent goes to the chosen side alone")
case("where", [cond, ints([1, 2, 3]), ints([4, 5, 6])], ints([1, 5, 3]))
case("where", [truth([], [0]), tensor([1.0]), tensor([2.0])], tensor([], [0]), [None, tensor([0.0]), tensor([0.0])],
     tensor([], [0]))
case("where", [tensor([1.0]), tensor([1.0]), tensor([1.0])], error="dtype")
case("where", [cond, tensor([1.0, 2.0]), tensor([1.0])], error="shape")
case("where", [cond, tensor([1.0]), ints([1])], error="dtype")
case("masked_fill", [tensor([nan, 2.0, 3.0, math.inf], [2, 2]), truth([True, False])],
     tensor([-1, 2, -1, math.inf], [2, 2]), [tensor([0, 1, 0, 1], [2, 2]), None],
     tensor([0, 1, 0, 1], [2, 2]), {"value": -1}, why="broadcast; what is left out reaches neither value nor gradient")
case("masked_fill", [tensor([1.0, 2.0]), truth([True, False])], tensor([-math.inf, 2]), [tensor([0, 1]), None],
     tensor([0, 1]), {"value": "-inf"})
case("masked_fill", [ints([1, 2]), truth([True, False])], ints([7, 2]), attrs={"value": 7})
case("masked_fill", [tensor([1.0, 2.0]), truth([True, False], [2, 1])], attrs={"value": 0}, error="shape")
case("masked_fill", [tensor([1.0, 2.0]), truth([True, False])], error="attr")
case("clip", [tensor([1.0])], attrs={"min": 2, "max": 1}, error="value")
case("clip", [tensor([nan, -math.inf, math.inf])], tensor([nan, -1, 1]), attrs={"min": -1, "max": 1},
     why="a NaN stays one")
case("cast", [tensor([-1.75, 2.5, nan, 1e300, -math.inf])], ints([-1, 2, 0, 2**63 - 1, -(2**63)]),
     attrs={"dtype": "int64"}, why="towards 0, saturating")
case("cast", [tensor([-1.75, 2.5, nan, 1e300])], ints([-1, 2, 0, 2**31 - 1], dtype="int32"), attrs={"dtype": "int32"},
     why="towards 0, saturating")
case("cast", [tensor([0.0, -0.5, nan])], truth([False, True, True]), attrs={"dtype": "bool"}, why="x != 0")
case("cast", [ints([1, -2])], tensor([1.0, -2.0]), attrs={"dtype": "float64"})
case("cast", [truth([True, False])], tensor([1.0, 0.0]), attrs={"dtype": "float64"})
case("cast", [tensor([1.5, 2.0])], tensor([1.5, 2.0]), [tensor([1, 1])], tensor([1, 1]), {"dtype": "float64"})
half = {"dtype": "float32", "shape": [2], "data": [0.5, -2.0]}
case("cast", [tensor([0.5, -2.0])], half, [tensor([1, 1])], {"dtype": "float32", "shape": [2], "data": [1, 1]},
     {"dtype": "float32"},
     cotangent={"dtype": "float32", "shape": [2], "data": [1, 1]},
    why="the cotangent has the output's dtype, the vjp the input's")
case("cast", [tensor([1.0])], attrs={"dtype": "complex"}, error="attr")
case("cast", [tensor([1.0])], error="attr")
case("ldexp", [tensor([0.75, -1.5, 1.0, 1.0]), ints([3, -2, 5000, -5000])], tensor([6, -0.375, math.inf, 0]),
     [tensor([8, 0.25, math.inf, 0]), None],
     tensor([8, 0.25, math.inf, 0]), rtol=0.0, why="exact; beyond the range")
case("ldexp", [tensor([1.0, 2.0], [2, 1]), ints([0, 1, 2], dtype="int32")], tensor([1, 2, 4, 2, 4, 8], [2, 3]),
     [tensor([7, 7], [2, 1]), None],
     tensor([1, 2, 4, 1, 2, 4], [2, 3]), why="broadcast")
case("ldexp", [tensor([1.0]), tensor([1.0])], error="dtype")

# ---- Refusals -------------------------------------------------------------------------------------------------------
case("add", [tensor([1.0, 2.0]), tensor([1.0, 2.0, 3.0])], error="shape")
case("add", [tensor([1.0]), {"dtype": "float32", "shape": [1], "data": [1]}], error="dtype")
case("add", [tensor([1.0]), ints([1])], error="dtype")
case("add", [tensor([1.0])], error="shape")
case("add", [tensor([1.0])] * 3, error="shape")
case("exp", [ints([1])], error="dtype")
case("exp", [truth([True])], error="dtype")
case("exp", [tensor([1.0])], attrs={"base": 2}, error="attr")
case("elu", [tensor([1.0])], attrs={"alpha": "big"}, error="attr")
case("gelu", [tensor([1.0])], attrs={"approximate": "sigmoid"}, error="value")
case("threshold", [tensor([1.0])], attrs={"value": 1}, error="attr")
case("polygamma", [tensor([1.0])], attrs={"n": -1}, error="value")
case("fma", [tensor([1.0]), tensor([1.0])], error="shape")

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "elementwise.jsonl"), "w") as file:
    for line in lines:
        file.write(json.dumps(line, separators=(",", ":")) + "\n")
