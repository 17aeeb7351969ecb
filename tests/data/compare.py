#!/usr/bin/env python3
"""compare.py OLD NEW: are the reference values in folder NEW those in OLD?

The same files, line for line the same text; but a number that another BLAS or LAPACK rounds in another way may differ by a
tenth of what the line allows an answer to differ, or by 1e-11 of its array's largest element."""
import json
import math
import pathlib
import sys


def largest(x):
    if isinstance(x, (list, tuple)):
        return max(map(largest, x), default=0.0)
    return abs(x) if isinstance(x, float) and math.isfinite(x) else 0.0


def same(a, b, allowed):
    """allowed: by how much two floats may differ."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= allowed
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y, allowed) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(same(a[key], b[key], scaled(key, a, allowed)) for key in a)
    return type(a) is type(b) and a == b


def scaled(key, owner, allowed):
    return max(allowed, 1e-11 * largest(owner[key])) if key == "data" else allowed


def differs(old, new):
    """The first line in which two files differ; 0: none."""
    was, is_ = old.read_text().splitlines(), new.read_text().splitlines()
    for number, (a, b) in enumerate(zip(was, is_), 1):
        if a == b:
            continue
        if old.suffix != ".jsonl":
            return number
        line = json.loads(a)
        allowed = line.get("atol", 0) / 10 + line.get("rtol", 0) / 10 * largest_of(line)
        if not same(line, json.loads(b), allowed):
            return number
    return 0 if len(was) == len(is_) else min(len(was), len(is_)) + 1


def largest_of(x):
    if isinstance(x, dict):
        return max((largest(v) if k == "data" else largest_of(v) for k, v in x.items()), default=0.0)
    return max(map(largest_of, x), default=0.0) if isinstance(x, list) else 0.0


def main():
    old, new = map(pathlib.Path, sys.argv[1:3])
    wrong = 0
    for path in sorted({p.name for folder in (old, new) for p in folder.iterdir() if p.is_file()}):
        if not (old / path).exists() or not (new / path).exists():
            print(f"{path}: only in {old if (old / path).exists() else new}")
            wrong += 1
        elif (line := differs(old / path, new / path)):
            print(f"{path}:{line}: differs")
            wrong += 1
    return wrong > 0


sys.exit(main())
