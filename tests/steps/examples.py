"""Examples of every value of every step, spelled as they are printed: the table that the common
tests of the steps go over.
"""

from __future__ import annotations

import inspect
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st

from sevensteps import steps
from sevensteps.engine.activations import activation_names
from sevensteps.errors import ArgumentError
from tests.steps.loss_table import LOSS_ROWS

# `loader` alone is missing: it holds a Python object and has no spelling.
EXAMPLES: dict[str, dict[str, list[str]]] = {
    "initialize": {
        "auto": ["auto()", 'auto(bias="normal")'],
        "zeros": ["zeros()", 'zeros(bias="label_prior")'],
        "ones": ["ones()", 'ones(bias="normal")'],
        "constant": ["constant(0.5)", 'constant(-1, bias="normal")'],
        "normal": [
            "normal()",
            "normal(0.1)",
            'normal(1.0, bias="normal")',
            'normal(bias="label_prior")',
        ],
        "uniform": ["uniform()", "uniform(0.3)"],
        "xavier_uniform": ["xavier_uniform()", "xavier_uniform(2)"],
        "xavier_normal": ["xavier_normal()", "xavier_normal(1.5)"],
        "kaiming_uniform": ["kaiming_uniform()", 'kaiming_uniform(bias="label_prior")'],
        "kaiming_normal": ["kaiming_normal()", 'kaiming_normal(bias="normal")'],
        "lecun_normal": ["lecun_normal()", 'lecun_normal(bias="normal")'],
        "orthogonal": ["orthogonal()", "orthogonal(0.5)"],
        "lsuv": ["lsuv()", "lsuv(0.1, iterations=3)", "lsuv(iterations=5)"],
        "pixel_frequency": [
            "pixel_frequency()",
            "pixel_frequency(0)",
            'pixel_frequency(0.25, bias="label_prior")',
        ],
        "pytorch_default": ["pytorch_default()"],
        "class_means": ["class_means()"],
        "as_given": ["as_given()"],
    },
    "predict": {
        "auto": ["auto()", "auto(dropout=0.5)"],
        "neuron": [
            "neuron()",
            'neuron("step")',
            'neuron("sigmoid", bias="w0")',
            'neuron(bias="w0")',
        ],
        "linear": ["linear()"],
        "polynomial": ["polynomial()", "polynomial(5)"],
        "mlp": ["mlp(30)", 'mlp(30, 10, activation="tanh", dropout=0.2, batch_norm=True)'],
        "binned_mlp": [
            "binned_mlp(30)",
            'binned_mlp(30, 10, columns=2, bins=4, activation="tanh", dropout=0.2)',
        ],
        "cnn": [
            "cnn(8, 16)",
            'cnn(4, kernel=5, pool="average", dense=(10,))',
            "cnn(4, dense=(20, 10), dropout=0.5, batch_norm=True)",
        ],
        "pixel_similarity": ["pixel_similarity()", 'pixel_similarity("l2")'],
        "module": [
            'module("package.nets:build")',
            'module("nets:build", 3, (4, 5), name="ä \\"b\\"", deep=True)',
        ],
    },
    "loss": {"auto": ["auto()"], **{name: list(row.oracles) for name, row in LOSS_ROWS.items()}},
    "gradient": {
        "auto": ["auto()", "auto(clip=1.0)"],
        "chain_rule": ["chain_rule()", "chain_rule(clip=0.5, accumulate=4)"],
        "compiled": ["compiled()", "compiled(clip=0.5, accumulate=4)"],
        "autograd": ["autograd()", "autograd(clip=2)", "autograd(accumulate=2, shard=True)"],
        "finite_differences": [
            "finite_differences()",
            "finite_differences(1e-05)",
            "finite_differences(accumulate=2)",
        ],
        "perceptron_rule": ["perceptron_rule()", "perceptron_rule(accumulate=3)"],
    },
    "step": {
        "auto": ["auto()", "auto(lr=one_cycle(0.5))"],
        "sgd": [
            "sgd(lr=0.1)",
            "sgd(lr=0.5, momentum=0.9, nesterov=True, weight_decay=0.0001)",
            "sgd(lr=one_cycle(0.5))",
        ],
        "adam": ["adam(lr=0.001)", "adam(lr=0.01, betas=(0.8, 0.9), eps=1e-06, weight_decay=0.1)"],
        "adamw": ["adamw(lr=0.001)", "adamw(lr=cosine(0.01, final=0.001), weight_decay=0.0)"],
        "rmsprop": [
            "rmsprop(lr=0.01)",
            "rmsprop(lr=0.1, alpha=0.9, eps=0.001, momentum=0.5, weight_decay=0.1)",
        ],
        "adagrad": ["adagrad(lr=0.01)", "adagrad(lr=1, eps=1e-08, weight_decay=0.2)"],
        "constant": ["constant(0.1)"],
        "linear_warmup": ["linear_warmup(0.1)", "linear_warmup(0.1, share=0.5)"],
        "cosine": ["cosine(0.1)", "cosine(0.1, final=0.01)"],
        "one_cycle": ["one_cycle(0.5)", "one_cycle(0.5, rise=0.2, div=10.0, final_div=100.0)"],
        "step_decay": [
            "step_decay(0.1)",
            "step_decay(0.1, gamma=0.5, at=(0.25,))",
            "step_decay(0.1, at=())",
        ],
        "exponential": ["exponential(0.1)", "exponential(0.1, final=0.5)"],
    },
    "repeat": {
        "auto": ["auto()", "auto(size=32)"],
        "batches": ["batches(64)", "batches(256, shuffle=False, drop_last=True)"],
        "full_batch": ["full_batch()"],
    },
    "stop": {
        "auto": ["auto()", "auto(count=5)"],
        "epochs": ["epochs(20)", "epochs(0)", "epochs(40) | patience(5) | seconds(60)"],
        "max_steps": ["max_steps(100)"],
        "seconds": ["seconds(60)", "seconds(0.5)"],
        "patience": ["patience(3)", 'patience(3, "accuracy")'],
        "accuracy": ["accuracy(0.99)", "accuracy(1) | max_steps(10)"],
        "loss_below": ["loss_below(0.1)", 'loss_below(-2, on="train")'],
    },
}
TEXTS = [
    (step, text) for step, names in EXAMPLES.items() for texts in names.values() for text in texts
]


def examples(step: str, *without: str) -> list[Any]:
    """The example values of `step`, but for those of the names given."""
    return [
        steps.parse(step, text)
        for name, texts in EXAMPLES[step].items()
        if name not in without
        for text in texts
    ]


def kinds(step: str, *without: str) -> list[Any]:
    """What makes the values of `step`, but for the names given: the classes themselves."""
    module = steps.module_of(step)
    return [getattr(module, name) for name in EXAMPLES[step] if name not in ("auto", *without)]


# -- any value at all ------------------------------------------------------------------------------

SHARE = st.floats(0, 1, exclude_min=True, exclude_max=True)
POSITIVE = st.floats(1e-300, 1e300)
ACTIVATION = st.sampled_from(activation_names())
WIDTH = st.integers(1, 10**6)
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20)
)
SCHEDULE = st.sampled_from(
    ["constant", "linear_warmup", "cosine", "one_cycle", "step_decay", "exponential"]
).flatmap(lambda name: drawn("step", name))

# What each argument may be, by its name, or by step.name, or by value.name; an argument that is not
# here fails its test.
ARGUMENTS: dict[str, st.SearchStrategy[Any]] = {
    "initialize.bias": st.sampled_from(["zeros", "normal", "label_prior"]),
    "value": st.floats(-1e30, 1e30) | st.integers(-9, 9),
    "std": st.floats(0, 1e30),
    "a": POSITIVE,
    "gain": POSITIVE,
    "tolerance": POSITIVE,
    "iterations": WIDTH,
    "threshold": st.floats(0, 1, exclude_max=True),
    "activation": ACTIVATION,
    "neuron.activation": ACTIVATION | st.just("step"),
    "predict.bias": st.sampled_from(["b", "w0"]),
    "degree": WIDTH,
    "widths": st.lists(WIDTH, min_size=1, max_size=4),
    "channels": st.lists(WIDTH, min_size=1, max_size=3),
    "dense": st.lists(WIDTH, max_size=3).map(tuple),
    "columns": WIDTH,
    "bins": st.integers(2, 10**6),
    "dropout": st.floats(0, 1, exclude_max=True),
    "batch_norm": st.booleans(),
    "kernel": st.integers(0, 9).map(lambda n: 2 * n + 1),
    "pool": st.sampled_from(["max", "average"]),
    "predict.metric": st.sampled_from(["l1", "l2"]),
    "path": st.sampled_from(["nets:build", "my.nets.deep:Net_2"]),
    "arguments": st.lists(PLAIN | st.lists(PLAIN, max_size=3).map(tuple), max_size=3),
    "options": st.dictionaries(st.sampled_from(["size", "depth", "name"]), PLAIN),
    "delta": POSITIVE,
    "clip": st.none() | POSITIVE,
    "accumulate": WIDTH,
    "shard": st.booleans(),
    "epsilon": st.floats(1e-9, 0.1),
    "lr": POSITIVE,
    "optimizer.lr": POSITIVE | SCHEDULE,
    "momentum": st.floats(0, 1, exclude_max=True),
    "nesterov": st.booleans(),
    "weight_decay": st.floats(0, 1e300),
    "betas": st.tuples(SHARE, SHARE),
    "eps": POSITIVE,
    "alpha": SHARE,
    "share": SHARE,
    "final": SHARE,
    "rise": SHARE,
    "div": st.floats(1, 1e300),
    "final_div": st.floats(1, 1e300),
    "gamma": SHARE,
    "at": st.lists(SHARE, max_size=3).map(tuple),
    "size": WIDTH,
    "shuffle": st.booleans(),
    "drop_last": st.booleans(),
    "repeat.seed": st.none() | st.integers(0, 2**31),
    "stop.count": st.integers(1, 10**9),
    "stop.metric": st.sampled_from(["loss", "accuracy", "r2"]),
    "level": st.floats(-1e300, 1e300),
    "on": st.sampled_from(["valid", "train"]),
}


@st.composite
def drawn(draw: st.DrawFn, step: str, name: str) -> Any:
    """Any value of `step` by the name given, its arguments left out or drawn from `ARGUMENTS`."""
    kind = getattr(steps.module_of(step), name)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for argument, parameter in inspect.signature(kind).parameters.items():
        group = "optimizer" if step == "step" and hasattr(kind, "torch_class") else step
        choices = [
            ARGUMENTS[key]
            for key in (f"{name}.{argument}", f"{group}.{argument}", argument)
            if key in ARGUMENTS
        ]
        held = draw(choices[0])
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += held
        elif parameter.kind is parameter.VAR_KEYWORD:
            named |= held
        elif parameter.default is parameter.empty:
            positional.append(held)
        elif draw(st.booleans()):
            named[argument] = held
    try:
        return kind(*positional, **named)
    except ArgumentError:  # arguments that are refused together, such as nesterov without momentum
        reject()
