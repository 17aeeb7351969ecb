#!/usr/bin/python3
"""Reference values of the losses, by torch in float64: writes losses.jsonl beside this file.

Where torch has no derivative (the classes' weights) or another convention (a clamped variance, saturated probabilities),
the formula is written out here, and its value compared with torch's own."""
import math
import os

import numpy as np
import torch
import torch.nn.functional as F

from torch_cases import bad, case, numbers, random, write

os.chdir(os.path.dirname(os.path.abspath(__file__)))
nan = float("nan")
inf = float("inf")


def reduced(loss, reduction):
    return {"mean": loss.mean(), "sum": loss.sum(), "none": loss}[reduction]


def signs(*shape):
    return np.where(random.uniform(-1, 1, shape) < 0, -1.0, 1.0)


def every_reduction(op, xs, attrs, f, **more):
    """f gives the losses one by one; "mean" is left to the default."""
    for reduction in ("mean", "sum", "none"):
        given = attrs if reduction == "mean" else dict(attrs, reduction=reduction)
        case(op, xs, given, lambda *a: reduced(f(*a), reduction), **more)


def shapes(op, f, attrs=None, second=numbers):
    """0-d, nothing, several axes, and what is refused."""
    attrs = attrs or {}
    case(op, [numbers(), second()], attrs, lambda *a: f(*a).mean(), "0-d")
    case(op, [numbers(0, 3), second(0, 3)], dict(attrs, reduction="sum"), lambda *a: f(*a).sum(), "the sum of nothing is 0")
    case(op, [numbers(0, 3), second(0, 3)], dict(attrs, reduction="none"), f, "nothing")
    case(op, [numbers(0), second(0)], attrs, lambda *a: f(*a).mean(), "the mean of nothing is NaN", gradient=False)
    bad(op, [numbers(4, 1), second(4)], attrs, "shape", "[4, 1] against [4] is not broadcast")
    bad(op, [numbers(4), second()], attrs, "shape", "nor is a 0-d target")
    bad(op, [numbers(4), np.ones(4, "float32")], attrs, "dtype", "mixed floats")
    bad(op, [numbers(4)], attrs, "shape", "target is missing")
    bad(op, [numbers(4), second(4)], dict(attrs, reduction="all"), "value", "no such reduction")
    bad(op, [numbers(4), second(4)], dict(attrs, reduction=True), "attr", "a reduction is a text")


def steps(*edges):
    """Numbers that are exact, among them the edges of a piecewise loss."""
    return np.array([-3.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0] + list(edges))


# ---- mse_loss, l1_loss, smooth_l1_loss, huber_loss, log_cosh_loss ----
square = lambda a, b: (a - b) ** 2
absolute = lambda a, b: torch.abs(a - b)
smooth = lambda beta: lambda a, b: F.smooth_l1_loss(a, b, reduction="none", beta=beta) if beta else absolute(a, b)
huber = lambda delta: lambda a, b: F.huber_loss(a, b, reduction="none", delta=delta)
every_reduction("mse_loss", [numbers(3, 4), numbers(3, 4)], {}, square)
shapes("mse_loss", square)
every_reduction("l1_loss", [steps(), np.zeros(8)], {}, absolute, why="0 has derivative 0")
shapes("l1_loss", absolute)
for beta in (1, 0.5, 0):
    every_reduction("smooth_l1_loss", [steps(), np.zeros(8)], {"beta": beta}, smooth(beta), why="at beta and at 0")
every_reduction("smooth_l1_loss", [numbers(5), numbers(5)], {}, smooth(1))
shapes("smooth_l1_loss", smooth(1))
bad("smooth_l1_loss", [numbers(4), numbers(4)], {"beta": -1}, "value", "beta is negative")
for delta in (1, 0.5, 2.5):
    every_reduction("huber_loss", [steps(2.5), np.zeros(9)], {"delta": delta}, huber(delta), why="at delta and at 0")
shapes("huber_loss", huber(1))
bad("huber_loss", [numbers(4), numbers(4)], {"delta": 0}, "value", "delta is not positive")
bad("huber_loss", [numbers(4), numbers(4)], {"delta": "nan"}, "value", "delta is NaN")
log_cosh = lambda a, b: torch.where(abs(a - b) < 1, 0.5 * torch.log1p(torch.sinh(a - b) ** 2),
                                    abs(a - b) + torch.log1p(torch.exp(-2 * abs(a - b))) - math.log(2))
every_reduction("log_cosh_loss", [numbers(6), numbers(6)], {}, log_cosh)
case("log_cosh_loss", [np.array([1e-9, 1e-4, 1.0, 30.0, 600.0, 0.0]), np.zeros(6)], {"reduction": "none"}, log_cosh,
     "tails and near 0", f32=False, gradient=False)
shapes("log_cosh_loss", log_cosh)

# ---- binary_cross_entropy, with logits, focal_loss ----
def bce(p, t, w=None):
    clamped = lambda x: torch.clamp(x, min=-100)
    loss = -(t * clamped(torch.log(p)) + (1 - t) * clamped(torch.log1p(-p)))
    return loss if w is None else w * loss


probabilities = lambda *shape: numbers(*shape, low=0.05, high=0.95)
halves = lambda *shape: np.where(random.uniform(0, 1, shape) < 0.5, 0.0, 1.0)
every_reduction("binary_cross_entropy", [probabilities(3, 4), probabilities(3, 4)], {}, bce)
every_reduction("binary_cross_entropy", [probabilities(3, 4), halves(3, 4), numbers(4, low=0.5)], {}, bce, why="weighted")
case("binary_cross_entropy", [probabilities(3, 4), halves(3, 4), numbers(3, 1, low=0.5)], {"reduction": "none"}, bce)
case("binary_cross_entropy", [np.array([0.0, 1.0, 0.0, 1.0, 1e-30]), np.array([1.0, 0.0, 0.0, 1.0, 1.0])],
     {"reduction": "none"}, bce, "logarithms are at least -100", gradient=False)
case("binary_cross_entropy", [np.array(0.25), np.array(1.0)], {}, lambda p, t: bce(p, t).mean(), "0-d")
case("binary_cross_entropy", [numbers(0, 3), numbers(0, 3)], {"reduction": "sum"}, lambda p, t: bce(p, t).sum(), "nothing")
bad("binary_cross_entropy", [probabilities(4, 1), halves(4)], {}, "shape", "[4, 1] against [4]")
bad("binary_cross_entropy", [probabilities(3), halves(3), numbers(2)], {}, "shape", "weight does not broadcast")
bad("binary_cross_entropy", [probabilities(3), halves(3), numbers(2, 3)], {}, "shape", "weight is larger than the input")

softplus = lambda x: torch.relu(x) + torch.log1p(torch.exp(-abs(x)))  # not at 0
logits = lambda x, t, p=1.0: p * t * softplus(-x) + (1 - t) * softplus(x)
every_reduction("binary_cross_entropy_with_logits", [numbers(3, 4), probabilities(3, 4)], {}, logits)
every_reduction("binary_cross_entropy_with_logits", [numbers(3, 4), halves(3, 4), numbers(4, low=0.5)], {}, logits,
                why="pos_weight")
# d/dx = sigmoid(x) - t, exact in the tails: sigmoid(-700) = exp(-700)
tails = np.array([-700.0, -100.0, -40.0, 40.0, 100.0, 700.0])
for t in (0.0, 1.0):
    case("binary_cross_entropy_with_logits", [tails, np.full(6, t)], {"reduction": "none"},
         lambda x, t: t * softplus(-x) + (1 - t) * softplus(x),
         "tails: relatively right", f32=False, atol=0, rtol=1e-12)
shapes("binary_cross_entropy_with_logits", logits, second=halves)
bad("binary_cross_entropy_with_logits", [numbers(3), halves(3), numbers(2)], {}, "shape", "pos_weight does not broadcast")


def focal(gamma, alpha=None):
    def f(x, t):
        m = t * torch.sigmoid(-x) + (1 - t) * torch.sigmoid(x)
        share = 1 if alpha is None else t * alpha + (1 - t) * (1 - alpha)
        return share * m**gamma * logits(x, t)
    return f


for gamma, alpha in ((2, None), (2, 0.25), (0, None), (1.5, 0.75)):
    attrs = {"gamma": gamma} if alpha is None else {"gamma": gamma, "alpha": alpha}
    every_reduction("focal_loss", [numbers(2, 3), halves(2, 3)], attrs, focal(gamma, alpha))
case("focal_loss", [numbers(5), probabilities(5)], {"reduction": "none"}, focal(2), "soft targets")
case("focal_loss", [np.array([-30.0, 30.0, -600.0, 600.0]), np.array([0.0, 1.0, 1.0, 0.0])], {"reduction": "none"}, focal(2),
     "tails", f32=False)
shapes("focal_loss", focal(2), second=halves)
bad("focal_loss", [numbers(3), halves(3)], {"gamma": -1}, "value", "gamma is negative")
bad("focal_loss", [numbers(3), halves(3)], {"alpha": 1.5}, "value", "alpha is above 1")

# ---- hinge_loss, soft_margin_loss ----
hinge = lambda x, t: torch.relu(1 - t * x)
every_reduction("hinge_loss", [steps(), signs(8)], {}, hinge, why="at the margin: 0")
shapes("hinge_loss", hinge, second=signs)
case("hinge_loss", [np.array([nan]), np.array([1.0])], {}, lambda x, t: hinge(x, t).mean(), "NaN stays", gradient=False)
soft_margin = lambda x, t: softplus(-t * x)
every_reduction("soft_margin_loss", [numbers(3, 4), signs(3, 4)], {}, soft_margin)
case("soft_margin_loss", [tails, signs(6)], {"reduction": "none"}, soft_margin, "tails", f32=False, atol=0, rtol=1e-12)
shapes("soft_margin_loss", soft_margin, second=signs)

# ---- kl_div, poisson_nll_loss, gaussian_nll_loss ----
kl = lambda x, t: t * (torch.log(t) - x)
kl_log = lambda x, t: torch.exp(t) * (t - x)
every_reduction("kl_div", [numbers(3, 4), probabilities(3, 4)], {}, kl)
every_reduction("kl_div", [numbers(3, 4), numbers(3, 4)], {"log_target": True}, kl_log)
case("kl_div", [numbers(3, 4), probabilities(3, 4)], {"reduction": "batchmean"}, lambda x, t: kl(x, t).sum() / 3)
case("kl_div", [numbers(3, 4), numbers(3, 4)], {"reduction": "batchmean", "log_target": True},
     lambda x, t: kl_log(x, t).sum() / 3)
case("kl_div", [numbers(3), np.array([0.0, 0.5, 0.0])], {"reduction": "none"},
     lambda x, t: torch.xlogy(t, t) - t * x, "0 where the target is", gradient=False)
case("kl_div", [np.array([-inf]), np.array([0.0])], {}, lambda x, t: torch.zeros(()).double(), "0 even of an impossible event",
     gradient=False)
case("kl_div", [numbers(3), np.array([-inf, -1.0, -2.0])], {"reduction": "none", "log_target": True},
     lambda x, t: torch.where(torch.isinf(t), torch.zeros_like(x), torch.exp(t) * (torch.clamp(t, min=-1e9) - x)),
     "log(0)", gradient=False)
shapes("kl_div", kl, second=probabilities)


def poisson(log_input, full, eps=1e-8):
    def f(x, t):
        loss = torch.exp(x) - t * x if log_input else x - t * torch.log(x + eps)
        safe = torch.where(t > 1, t, torch.full_like(t, 2.0))
        stirling = safe * torch.log(safe) - safe + 0.5 * torch.log(2 * math.pi * safe)
        return loss + torch.where(t > 1, stirling, torch.zeros_like(t)) if full else loss
    return f


rates = lambda *shape: numbers(*shape, low=0.1, high=4)
for full in (False, True):
    for log_input in (True, False):
        attrs = {"full": full, "log_input": log_input}
        every_reduction("poisson_nll_loss", [rates(8), np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 10.0])], attrs,
                        poisson(log_input, full), why="Stirling's term from target > 1 on")
case("poisson_nll_loss", [np.array([0.0, 1.0]), np.array([1.0, 1.0])], {"log_input": False, "eps": 0.5, "reduction": "none"},
     poisson(False, False, 0.5), "eps")
shapes("poisson_nll_loss", poisson(True, False), second=rates)


def gaussian(full=False, eps=1e-6):
    return lambda x, t, v: 0.5 * (torch.log(torch.clamp(v, min=eps)) + (x - t) ** 2 / torch.clamp(v, min=eps)) + (
        0.5 * math.log(2 * math.pi) if full else 0)


for full in (False, True):
    every_reduction("gaussian_nll_loss", [numbers(3, 4), numbers(3, 4), rates(3, 4)], {"full": full}, gaussian(full))
case("gaussian_nll_loss", [numbers(3), numbers(3), np.array([0.0, 0.2, 2.0])], {"eps": 0.5, "reduction": "none"},
     gaussian(False, 0.5), "below eps var has no derivative")
case("gaussian_nll_loss", [numbers(3), numbers(3), np.array(2.0)], {}, lambda *a: gaussian()(*a).mean(), "one variance")
case("gaussian_nll_loss", [numbers(), numbers(), rates()], {}, gaussian(), "0-d")
case("gaussian_nll_loss", [numbers(0), numbers(0), rates(0)], {"reduction": "sum"}, lambda *a: gaussian()(*a).sum(), "nothing")
bad("gaussian_nll_loss", [numbers(3), numbers(3), np.array([1.0, -1.0, 1.0])], {}, "value", "a negative variance")
bad("gaussian_nll_loss", [numbers(3), numbers(3), rates(2)], {}, "shape", "var of another shape")
bad("gaussian_nll_loss", [numbers(3, 1), numbers(3), rates(3)], {}, "shape", "target of another shape")
bad("gaussian_nll_loss", [numbers(3), numbers(3), rates(3)], {"eps": 0}, "value", "eps is not positive")


# ---- cross_entropy, nll_loss, multi_margin_loss ----
def cross_entropy(reduction="mean", ignore=-100, smoothing=0.0, log_probs=False):
    def f(x, t, w=None):
        axis = 1 if x.dim() > 1 else 0
        classes = x.shape[axis]
        lp = x if log_probs else torch.log_softmax(x, axis)
        along = [classes] + [1] * (x.dim() - axis - 1)
        weight = torch.ones(classes).double() if w is None else w
        if t.dtype == torch.float64:
            q = (t * (1 - smoothing) + smoothing / classes) * weight.reshape(along)
            total = max(x.numel() // classes, 0) if classes else 1
        else:
            counted = (t != ignore).double()
            safe = torch.where(counted > 0, t, torch.zeros_like(t)).long()
            hard = torch.moveaxis(F.one_hot(safe, classes).double(), -1, axis) * counted.unsqueeze(axis)
            q = (hard * (1 - smoothing) + smoothing / classes * counted.unsqueeze(axis)) * weight.reshape(along)
            total = (hard * weight.reshape(along)).sum() if counted.any() or not t.numel() else 1
        losses = -(q * lp).sum(axis)
        return {"none": losses, "sum": losses.sum(), "mean": losses.sum() / total}[reduction]
    return f


def classes(x, t, w=None, **options):
    """Also against torch's own."""
    op = "nll_loss" if options.pop("log_probs", False) else "cross_entropy"
    why = options.pop("why", None)
    for reduction in ("mean", "none") if op == "nll_loss" else ("mean", "sum", "none"):
        attrs = dict(options, reduction=reduction)
        f = cross_entropy(reduction, options.get("ignore_index", -100), options.get("label_smoothing", 0.0), op == "nll_loss")
        xs = [x, t] if w is None else [x, t, w]
        if np.asarray(t).dtype == np.int64 and (np.asarray(t) != options.get("ignore_index", -100)).any():
            own = getattr(F, op)(torch.as_tensor(x), torch.as_tensor(t), None if w is None else torch.as_tensor(w), **attrs)
            assert torch.allclose(own, f(*[torch.as_tensor(a) for a in xs]), rtol=1e-13), (op, attrs)
        case(op, xs, attrs, f, why)


labels = lambda n, *shape: random.integers(0, n, shape)
for log_probs in (False, True):
    classes(numbers(3, 4), labels(4, 3), log_probs=log_probs)
    classes(numbers(4), labels(4), log_probs=log_probs)
    classes(numbers(2, 3, 5), labels(3, 2, 5), numbers(3, low=0.5), log_probs=log_probs)
    classes(numbers(1, 3, 2, 2), labels(3, 1, 2, 2), log_probs=log_probs)
    classes(numbers(3, 4), labels(4, 3).astype("int32").astype("int64"), numbers(4, low=0.5), log_probs=log_probs)
    classes(numbers(4, 3), np.array([0, -100, 2, -100]), numbers(3, low=0.5), why="ignored ones count for nothing",
            log_probs=log_probs)
    classes(numbers(3, 3), np.array([1, 1, 2]), ignore_index=1, why="a class ignored", log_probs=log_probs)
    classes(numbers(2, 3), np.array([-100, -100]), why="all ignored: 0", log_probs=log_probs)
    classes(numbers(2, 3), np.array([-100, -100]), numbers(3, low=0.5), why="all ignored: 0", log_probs=log_probs)
    classes(numbers(2, 1), np.array([0, 0]), why="one class", log_probs=log_probs)
    op = "nll_loss" if log_probs else "cross_entropy"
    case(op, [numbers(0, 3), labels(3, 0)], {}, lambda x, t: torch.tensor(nan).double(), "the mean of nothing is NaN",
         gradient=False)
    case(op, [numbers(0, 3), labels(3, 0)], {"reduction": "sum"}, cross_entropy("sum", log_probs=log_probs), "nothing")
    case(op, [numbers(3, 4), labels(4, 3).astype("int32")], {}, cross_entropy(log_probs=log_probs), "int32")
    bad(op, [numbers(3, 4), np.array([0, 4, 1])], {}, "index", "a class too large")
    bad(op, [numbers(3, 4), np.array([0, -1, 1])], {}, "index", "a negative class does not count from the end")
    bad(op, [numbers(3, 4), labels(4, 2)], {}, "shape", "two targets for three positions")
    bad(op, [numbers(3, 4), labels(4, 3, 1)], {}, "shape", "target with a class axis")
    bad(op, [numbers(), labels(4)], {}, "shape", "no class axis")
    bad(op, [numbers(3, 4), labels(4, 3), numbers(3)], {}, "shape", "weight is one a class")
    bad(op, [numbers(3, 4), np.ones(3, bool)], {}, "dtype", "a boolean target")
    bad(op, [numbers(3, 4), labels(4, 3)], {"reduction": "batchmean"}, "value", "no such reduction")
bad("nll_loss", [numbers(3, 4), numbers(3, 4)], {}, "dtype", "probabilities as targets")

share = lambda *shape: (lambda p: p / p.sum(1 if len(shape) > 1 else 0, keepdims=True))(random.uniform(0.1, 1, shape))
for smoothing in (0.0, 0.1, 1.0):
    classes(numbers(3, 4), labels(4, 3), label_smoothing=smoothing)
    classes(numbers(4, 3), np.array([0, -100, 2, 1]), numbers(3, low=0.5), label_smoothing=smoothing, why="smoothed, weighted")
    classes(numbers(3, 4), share(3, 4), label_smoothing=smoothing)
    classes(numbers(2, 3, 4), share(2, 3, 4), numbers(3, low=0.5), label_smoothing=smoothing)
classes(numbers(4), share(4))
classes(numbers(2, 3), np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]), why="probabilities of 0")
bad("cross_entropy", [numbers(3, 4), numbers(3, 3)], {}, "shape", "probabilities of another shape")
bad("cross_entropy", [numbers(3, 4), labels(4, 3)], {"label_smoothing": 1.5}, "value", "smoothing above 1")
bad("cross_entropy", [numbers(3, 4), np.ones((3, 4), "float32")], {}, "dtype", "mixed floats")
big = np.array([[1000.0, 0.0, -1000.0], [-1e300, 1e300, 0.0]])
case("cross_entropy", [big, np.array([0, 1])], {"reduction": "none"}, cross_entropy("none"), "no overflow", f32=False)
case("cross_entropy", [numbers(65, 2), labels(2, 65)], {}, cross_entropy(), "more rows than a tile has", f32=False)
case("cross_entropy", [numbers(2, 37), labels(37, 2)], {}, cross_entropy(), "more classes than lanes")
case("cross_entropy", [numbers(1, 2, 66), labels(2, 1, 66)], {}, cross_entropy(), "more positions than a tile has", f32=False)
# With a gap d the loss is log1p(exp(-d)) and its derivative exp(-d) / (1 + exp(-d)): nothing may be left of 1 - 1.
gap = np.array([[40.0, 0.0], [0.0, 40.0]])


def saturated(x, t):
    d = torch.stack([x[0, 0] - x[0, 1], x[1, 1] - x[1, 0]])
    return softplus(-d)


case("cross_entropy", [gap, np.array([0, 1])], {"reduction": "none"}, saturated, "saturated: relatively right", f32=False,
     atol=0, rtol=1e-13)


def multi_margin(p, margin, reduction="mean"):
    def f(x, t):
        rows = x if x.dim() > 1 else x[None]
        own = rows.gather(1, t.reshape(-1, 1).long())
        over = torch.relu(margin - own + rows) ** p
        other = 1 - F.one_hot(t.reshape(-1).long(), rows.shape[1]).double()
        losses = ((over * other).sum(1) / rows.shape[1]).reshape(t.shape)
        return {"mean": losses.mean(), "sum": losses.sum(), "none": losses}[reduction]
    return f


for p in (1, 2):
    for reduction, margin in (("mean", 1), ("sum", 0.5), ("none", 0.5)):
        attrs = {"p": p, "margin": margin, "reduction": reduction}
        case("multi_margin_loss", [numbers(3, 4), labels(4, 3)], attrs, multi_margin(p, margin, reduction))
case("multi_margin_loss", [numbers(4), labels(4)], {}, multi_margin(1, 1))
case("multi_margin_loss", [np.array([[0.0, -1.0, 1.0]]), np.array([0])], {}, multi_margin(1, 1), "at the margin: 0")
bad("multi_margin_loss", [numbers(3, 4), labels(4, 3)], {"p": 3}, "value", "p is 1 or 2")
bad("multi_margin_loss", [numbers(3, 4), np.array([0, 4, 1])], {}, "index", "a class too large")
bad("multi_margin_loss", [numbers(3, 4, 2), labels(4, 3, 2)], {}, "shape", "at most [n, C]")
bad("mse_loss", [numbers(3), numbers(3)], {"reduction": 1}, "attr", "a number for a word")

write("losses.jsonl")
