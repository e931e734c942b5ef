"""Valid samples made wrong: bytes flipped, cut and put in, values of JSON swapped for others, keys
taken away.
"""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

TOKENS = [
    b"",
    b"\0",
    b"\xff" * 8,
    b"\n",
    b"\r\n",
    b'"',
    b"'",
    b"[" * 50,
    b"{",
    b"}",
    b"(" * 50,
    b",",
    b"-1",
    b"0",
    b"1e999",
    b"9" * 400,
    b"NaN",
    b"null",
    b"true",
    b"\xf0\x9f\x98\x80",
    b"\\ud800",
    b"auto()",
    b"None",
    b"mlp(",
    b" | ",
    b"../../x",
    b"\x1b[2J",
    b"a.b.c",
    b"\x1f\x8b",
    b"given(",
    b"loader(",
    b"module('os:getcwd')",
]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63,
    10**400,
    0.5,
    -0.0,
    float("nan"),
    float("inf"),
    1e308,
    "",
    "x",
    "\ud800",
    "\x1b[2J",
    "../..",
    "a" * 5000,
    [],
    {},
    [[]],
    [None],
    {"": None},
    [1, 2, 3],
    "cpu",
    "meta",
    "cuda",
    "state.json",
    {"loss": "low"},
    {"loss": 0.5},
]


def mutated(draw: Random, sample: bytes, others: list[bytes]) -> bytes:
    """`sample` with one to five things changed; `others` are samples of which pieces may be
    taken.
    """
    made = bytearray(sample)
    for _ in range(draw.choice((1, 1, 1, 2, 5))):
        at = draw.randrange(len(made) + 1)
        end = min(len(made), at + draw.choice((1, 1, 2, 8, 100, 10_000)))
        way = draw.randrange(8)
        if way <= 1 and at < len(made):
            made[at] = made[at] ^ (1 << draw.randrange(8)) if way else draw.randrange(256)
        elif way == 2:
            del made[at:]
        elif way == 3:
            del made[at:end]
        elif way == 4:
            made[at:at] = draw.choice(TOKENS)
        elif way == 5:
            made[at:end] = draw.choice(TOKENS)
        elif way == 6:
            made[at:at] = made[at:end]
        else:
            other = draw.choice(others)
            start = draw.randrange(len(other) + 1)
            made[at:end] = other[start : start + draw.choice((4, 40, 400))]
    return bytes(made)


def mutated_json(draw: Random, held: Any) -> Any:
    """A copy of `held` with one to three values swapped, taken away, or given another's place."""
    held = copy.deepcopy(held)
    for _ in range(draw.choice((1, 1, 2, 3))):
        places = list(_places(held))
        if not places:
            break
        box, key = draw.choice(places)
        way = draw.randrange(6)
        if way == 0:
            del box[key]
        elif way == 1:
            other, place = draw.choice(places)
            box[key] = copy.deepcopy(other[place])
        elif way == 2 and isinstance(box, dict):
            box[draw.choice(("x", "", "loss", "\ud800", "by_class"))] = box.pop(key)
        elif way == 3 and isinstance(box[key], int | float) and not isinstance(box[key], bool):
            box[key] = draw.choice((-box[key], box[key] + 1, str(box[key]), float(box[key]), 0))
        else:
            box[key] = copy.deepcopy(draw.choice(VALUES))
    return held


def _places(held: Any) -> Any:
    """Every (container, key) in `held`."""
    if isinstance(held, dict | list):
        for key, item in list(held.items() if isinstance(held, dict) else enumerate(held)):
            yield held, key
            yield from _places(item)


def sampled(seed: int, samples: list[bytes], head: int) -> bytes:
    """One sample, made wrong as `seed` says; its first `head` bytes choose what it is for."""
    draw = Random(seed)
    return changed(draw, draw.choice(samples), samples, head)


def changed(draw: Random, sample: bytes, samples: list[bytes], head: int) -> bytes:
    """`sample` made wrong: as JSON where it is some, most of the time, else as bytes."""
    if draw.random() < 0.8:
        try:
            held = json.loads(sample[head:])
        except (ValueError, RecursionError):
            held = None
        if isinstance(held, dict | list):
            return sample[:head] + json.dumps(mutated_json(draw, held)).encode()
    if draw.random() < 0.9:  # the choice of the file, or of the step, stays
        return sample[:head] + mutated(draw, sample[head:], [other[head:] for other in samples])
    return mutated(draw, sample, samples)
