#!/usr/bin/python3
"""Reference values of the products, by torch and numpy in float64: writes products.jsonl beside this file."""
import numpy as np
import torch

from torch_cases import bad, case, numbers, special, write

nan = float("nan")


# ---- matmul, bmm, addmm, linear, bilinear ----
for a, b in (((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((4, 2, 3), (3,)), ((3,), (4, 3, 2)),
             ((5, 1, 2, 3), (4, 3, 2)), ((4, 2, 3), (3, 5)), ((2, 3), (4, 3, 2)), ((2, 2, 1, 3), (3, 2)), ((1, 1), (1, 1)),
             ((2, 2, 3), (1, 3, 2)), ((1, 2, 3), (4, 3, 1)), ((1, 7), (7, 1)), ((17, 19), (19, 13))):
    case("matmul", [numbers(*a), numbers(*b)], {}, torch.matmul)
case("matmul", [numbers(2, 0), numbers(0, 3)], {}, torch.matmul, "a sum over nothing is 0")
case("matmul", [numbers(0, 3), numbers(3, 2)], {}, torch.matmul, "no rows")
case("matmul", [numbers(0, 2, 3), numbers(3, 2)], {}, torch.matmul, "an empty stack")
case("matmul", [numbers(0), numbers(0)], {}, torch.matmul, "vectors of nothing")
special("matmul", [[[0.0, 1.0]], [[nan], [2.0]]], {}, [[nan]], "0 times NaN is NaN")
bad("matmul", [numbers(2, 3), numbers(4, 2)], {}, "shape", "inner dimensions differ")
bad("matmul", [numbers(3), numbers(4, 2)], {}, "shape", "inner dimensions differ")
bad("matmul", [numbers(), numbers(3)], {}, "shape", "0-d")
bad("matmul", [numbers(2, 2, 3), numbers(3, 3, 2)], {}, "shape", "leading axes do not broadcast")
bad("matmul", [numbers(2, 3), np.ones((3, 2), "int64")], {}, "dtype", "integers")
bad("matmul", [numbers(2, 3)], {}, "shape", "b is missing")

for a, b in (((2, 2, 3), (2, 3, 4)), ((1, 3, 3), (1, 3, 3)), ((0, 2, 3), (0, 3, 4)), ((2, 2, 0), (2, 0, 3))):
    case("bmm", [numbers(*a), numbers(*b)], {}, torch.bmm)
bad("bmm", [numbers(1, 2, 3), numbers(2, 3, 4)], {}, "shape", "does not broadcast")
bad("bmm", [numbers(2, 3), numbers(3, 4)], {}, "shape", "matrices")
bad("bmm", [numbers(2, 2, 3), numbers(2, 4, 3)], {}, "shape", "inner dimensions differ")

for shape, attrs in (((2, 4), {}), ((4,), {"beta": 0.5, "alpha": -2}), ((), {"alpha": 3}), ((2, 1), {"beta": 0}),
                     ((1, 4), {"alpha": 0})):
    case("addmm", [numbers(*shape), numbers(2, 3), numbers(3, 4)], attrs,
         lambda c, a, b: torch.addmm(c, a, b, beta=attrs.get("beta", 1), alpha=attrs.get("alpha", 1)))
special("addmm", [[[nan]], [[2.0]], [[3.0]]], {"beta": 0}, [[6.0]], "c is left out with beta = 0")
bad("addmm", [numbers(3, 4), numbers(2, 3), numbers(3, 4)], {}, "shape", "c does not broadcast")
bad("addmm", [numbers(1, 2, 4), numbers(2, 3), numbers(3, 4)], {}, "shape", "c has more axes than the product")

for shape in ((2, 3), (5, 2, 3), (3,), (0, 3), (1, 3)):
    case("linear", [numbers(*shape), numbers(3, 4), numbers(4)], {}, lambda x, w, b: x @ w + b)
case("linear", [numbers(2, 3), numbers(3, 4), None], {}, lambda x, w, b: x @ w, "no bias")
case("linear", [numbers(2, 0), numbers(0, 3), numbers(3)], {}, lambda x, w, b: x @ w + b, "the bias alone")
bad("linear", [numbers(2, 3), numbers(4, 3), numbers(3)], {}, "shape", "w is [in, out]")
bad("linear", [numbers(2, 3), numbers(3, 4), numbers(3)], {}, "shape", "b is [out]")
bad("linear", [numbers(2, 3), numbers(3), None], {}, "shape", "w is a matrix")
bad("linear", [numbers(), numbers(3, 4), None], {}, "shape", "x has no last axis")

bilinear = lambda x1, w, x2, b: torch.einsum("...i,oij,...j->...o", x1, w, x2) + (0 if b is None else b)
for lead in ((2,), (), (2, 3), (0,)):
    case("bilinear", [numbers(*lead, 3), numbers(4, 3, 2), numbers(*lead, 2), numbers(4)], {}, bilinear)
case("bilinear", [numbers(2, 3), numbers(4, 3, 2), numbers(2, 2), None], {}, bilinear)
bad("bilinear", [numbers(2, 3), numbers(4, 2, 3), numbers(2, 2), None], {}, "shape", "w is [o, i, j]")

# ---- vecdot, inner, outer, cross ----
vecdot = lambda axis: lambda a, b: torch.sum(a * b, axis)
for a, b, axis in (((3,), (3,), -1), ((2, 3), (2, 3), -1), ((2, 1, 3), (4, 3), -1), ((3, 2), (3, 2), 0),
                   ((2, 3, 4), (3, 4), -2), ((2, 0), (2, 0), -1), ((0, 3), (3,), -1), ((2, 37), (37,), -1)):
    case("vecdot", [numbers(*a), numbers(*b)], {"axis": axis}, vecdot(axis))
case("vecdot", [numbers(2, 3), numbers(2, 3)], {}, vecdot(-1))
bad("vecdot", [numbers(2, 3), numbers(2, 4)], {}, "shape", "sizes along the axis differ")
bad("vecdot", [numbers(2, 3), numbers(2, 3)], {"axis": 2}, "shape", "axis out of range")
bad("vecdot", [numbers(), numbers()], {}, "shape", "0-d")

for a, b in (((3,), (3,)), ((2, 3), (4, 3)), ((2, 2, 3), (3,)), ((2, 2, 3), (4, 1, 3)), ((), (2, 3)), ((2,), ()), ((), ()),
             ((2, 0), (3, 0))):
    case("inner", [numbers(*a), numbers(*b)], {}, torch.inner)
bad("inner", [numbers(2, 3), numbers(3, 2)], {}, "shape", "last dimensions differ")

for a, b in (((2,), (3,)), ((0,), (3,)), ((1,), (1,))):
    case("outer", [numbers(*a), numbers(*b)], {}, torch.outer)
bad("outer", [numbers(2, 2), numbers(3)], {}, "shape", "vectors only")

cross = lambda axis: lambda a, b: torch.linalg.cross(*torch.broadcast_tensors(a, b), dim=axis)
for a, b, axis in (((3,), (3,), -1), ((2, 3), (3,), -1), ((3, 2), (3, 2), 0), ((2, 1, 3), (4, 3), -1), ((2, 3, 4), (3, 1), -2)):
    case("cross", [numbers(*a), numbers(*b)], {"axis": axis}, cross(axis))
case("cross", [numbers(0, 3), numbers(3)], {}, cross(-1))
bad("cross", [numbers(2), numbers(2)], {}, "shape", "3 entries")
bad("cross", [numbers(2, 3), numbers(2, 3)], {"axis": 0}, "shape", "3 entries along that axis")

# ---- tensordot, kron, einsum ----
for a, b, axes in (((2, 3, 4), (3, 4, 5), 2), ((2, 3), (4,), 0), ((2, 3), (3, 2), 1), ((2, 3, 4), (4, 5, 2), [[0, 2], [2, 0]]),
                   ((2, 3), (3, 2), [[1], [-2]]), ((2, 3), (3, 2), [[0, 1], [1, 0]]), ((2, 3, 2), (2, 2, 4), [[2, 0], [0, 1]]),
                   ((2, 0), (0, 3), 1), ((2, 3), (4,), [[], []])):
    case("tensordot", [numbers(*a), numbers(*b)], {"axes": axes}, lambda a, b: torch.tensordot(a, b, axes))
case("tensordot", [numbers(2, 3, 4), numbers(3, 4)], {}, torch.tensordot)
bad("tensordot", [numbers(2, 3), numbers(2, 3)], {"axes": 1}, "shape", "sizes differ")
bad("tensordot", [numbers(2, 3), numbers(3, 2)], {"axes": 3}, "shape", "more axes than there are")
bad("tensordot", [numbers(2, 3), numbers(3, 2)], {"axes": [[0, 0], [1, 1]]}, "shape", "an axis twice")
bad("tensordot", [numbers(2, 3), numbers(3, 2)], {"axes": [[2], [0]]}, "shape", "axis out of range")

for a, b in (((2, 3), (3, 2)), ((3,), (2,)), ((2, 3), (2,)), ((2,), (2, 3)), ((), (2, 3)), ((), ()), ((2, 1, 2), (1, 3, 2))):
    case("kron", [numbers(*a), numbers(*b)], {}, torch.kron)
case("kron", [numbers(0, 2), numbers(2, 3)], {}, lambda a, b: (a.reshape(0, 1, 2, 1) * b.reshape(1, 2, 1, 3)).reshape(0, 6))

for equation, *shapes in (("ij,jk->ik", (2, 3), (3, 4)), ("ii", (3, 3)), ("ii->i", (3, 3)), ("ij->ji", (2, 3)), ("ba", (2, 3)),
                          ("ij->j", (2, 3)), ("ij->", (2, 3)), ("bij,bjk", (5, 2, 3), (5, 3, 4)), ("i,j", (2,), (3,)),
                          ("...ij,...jk->...ik", (2, 1, 2, 3), (4, 3, 2)), ("ij,jk,kl->il", (2, 3), (3, 4), (4, 2)),
                          ("ij,ij->", (2, 3), (2, 3)), ("iij,j->i", (3, 3, 2), (2,)), ("ij,k->ki", (2, 3), (4,)),
                          ("iji,i->j", (2, 3, 2), (2,)), ("...i->i...", (2, 3, 4)), ("...,...", (2, 3), (3,)),
                          ("i...,...->...", (2, 3), (3,)), (" i j , j -> i ", (2, 3), (3,)), ("Ab,bA->A", (2, 3), (3, 2)),
                          ("ij,jk", (2, 0), (0, 3)), ("a,ab,abc->abc", (2,), (2, 3), (2, 3, 2)), ("->", ()), (",->", (), ()),
                          ("bhqd,bhkd->bhqk", (2, 2, 3, 4), (2, 2, 2, 4))):
    case("einsum", [numbers(*s) for s in shapes], {"equation": equation}, lambda *x: torch.einsum(equation, *x))
bad("einsum", [numbers(2, 3), numbers(4, 2)], {"equation": "ij,jk"}, "shape", "sizes differ")
bad("einsum", [numbers(2, 3)], {"equation": "i"}, "shape", "fewer letters than axes")
bad("einsum", [numbers(2, 3)], {"equation": "ij,jk"}, "shape", "fewer operands than terms")
bad("einsum", [numbers(2, 3), numbers(3)], {"equation": "ij"}, "shape", "more operands than terms")
bad("einsum", [numbers(2, 3)], {"equation": "ij->ik"}, "value", "a letter from nowhere")
bad("einsum", [numbers(2, 3)], {"equation": "ij->ii"}, "value", "a letter twice in the result")
bad("einsum", [numbers(2, 3)], {"equation": "i1"}, "value", "not a letter")
bad("einsum", [numbers(2, 3)], {"equation": "ij-"}, "value", "half an arrow")
bad("einsum", [numbers(2, 3)], {}, "attr", "equation is required")

write("products.jsonl")
