"""Arguments that ask for more than there is, or that a terminal would obey: each is one line that
says what was seen and what to do.
"""

from __future__ import annotations

import pytest

from tests.hostile.conftest import Refused

BAD: dict[str, tuple[tuple[str, ...], str]] = {
    # more than there is
    "threads without end": (
        ("digits", "--threads", "1000000000"),
        "threads must be at most 1024, not 1000000000",
    ),
    "no thread": (("digits", "--threads", "0"), "threads must be at least 1, not 0"),
    "a device that is none": (
        ("digits", "--device", "cpu:-1"),
        "device 'cpu:-1' cannot be used here: Invalid device string: 'cpu:-1'; use --device cpu",
    ),
    "a device without memory": (
        ("digits", "--device", "meta"),
        "device 'meta' cannot be used here: Tensor.item() cannot be called on meta tensors; use "
        "--device cpu",
    ),
    "precision": (
        ("digits", "--precision", "float8"),
        "precision has no option 'float8'; did you mean 'float64'?",
    ),
    "data beyond counting": (
        ("xor(n=100000000000000000000000)",),
        "xor(n=100000000000000000000000) does not fit into memory: int too big to convert; ask "
        "for fewer samples",
    ),
    "a layer of terabytes": (
        ("digits", "--predict", "mlp(100000000000)"),
        "mlp(100000000000) has 7,500,000,000,010 parameters; at most 4,294,967,296 are trained; "
        "take smaller layers",
    ),
    "a layer beyond counting": (
        ("digits", "--predict", "mlp(100000000000000000000)"),
        "mlp(100000000000000000000) has more parameters than can be counted; take smaller layers",
    ),
    "lr without end": (
        ("digits", "--step", "sgd(lr=1e999)"),
        "step: 'sgd(lr=1e999)' has a number too large to hold; write a finite number",
    ),
    "brackets without end": (
        ("digits", "--predict", "mlp(" + "(" * 50 + "1" + ")" * 51),
        "predict: 'mlp(((((((((((((((((((((((((((((((((((((((((((((((((((1))))))))))))))))))))))))…' nests too many "  # noqa: E501
        "brackets; the limit is 40",
    ),
    "a name without end": (
        ("digits", "--out", "o" * 300),
        f"the run folder {'o' * 79}… cannot be looked into: File name too long; give another "
        "folder (--out)",
    ),
    "a data folder without end": (
        ("mnist", "--data-dir", "d" * 300),
        f"the data folder {'d' * 300} cannot be looked into: File name too long; give a folder "
        "that holds "
        "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
        "t10k-labels-idx1-ubyte "
        "(plain or .gz)",
    ),
    # what a terminal would obey, or end at
    "colours": (
        ("\x1b[31mdigits",),
        "data: '?[31mdigits' cannot be read at character 1; write it as digits",
    ),
    "a null": (
        ("digits", "--predict", "mlp(30)\0"),
        "predict: 'mlp(30)?' cannot be read; write it as mlp(30)",
    ),
    # the end
    "a stop in the past": (
        ("digits", "--stop", "epochs(-1)"),
        "stop: epochs(-1): count must be at least 0, not -1",
    ),
    "a share above all": (
        ("digits", "--stop", "accuracy(1.5)"),
        "stop: accuracy(1.5): share must be at most 1, not 1.5",
    ),
    "a schedule without an end": (
        ("digits", "--step", "sgd(lr=one_cycle(0.1))", "--stop", "patience(3)"),
        "one_cycle(0.1) needs to know how many steps there will be, but patience(3) does not say; "
        "join it with "
        "epochs(…) or max_steps(…), as in epochs(100) | patience(5)",
    ),
    "dropout of all": (
        ("digits", "--predict", "mlp(30, dropout=1)"),
        "predict: mlp(30, dropout=1): dropout must be below 1, not 1",
    ),
    "bins of no number": (
        ("digits", "--predict", "binned_mlp(30, bins=0)"),
        "predict: binned_mlp(30, bins=0): bins must be at least 2, not 0",
    ),
    "less than no gradient": (
        ("digits", "--step", "sgd(lr=-0.1)"),
        "step: sgd(lr=-0.1): lr must be above 0, not -0.1; try lr=0.1, or a schedule such as "
        "one_cycle(0.1)",
    ),
    "a batch of nothing": (
        ("digits", "--repeat", "batches(0)"),
        "repeat: batches(0): size must be at least 1, not 0",
    ),
    "a unit of no layer": (
        ("digits", "--predict", "mlp(0)"),
        "predict: mlp(0): a width must be at least 1, not 0",
    ),
    "saving all the time": (("digits", "--save-every", "0"), "save_every must be above 0, not 0.0"),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_bad_argument_is_one_line_that_says_the_fix(mistake: str, refused: Refused) -> None:
    arguments, message = BAD[mistake]
    refused(("train", *arguments), message)
