"""Bad input, one row each: what was typed, and the one line that says what was seen and what to do.
Nothing is left behind.
"""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import sklearn.datasets
import torch

import sevensteps as ss
from sevensteps.cli import main
from sevensteps.errors import ShapeError
from tests.helpers.counts import count

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


# -- files to make mistakes with -------------------------------------------------------------------


def images(count: int) -> bytes:
    return (
        b"\0\0\x08\x03"
        + struct.pack(">3I", count, 4, 4)
        + bytes(i % 251 for i in range(count * 16))
    )


def labels(*held: int) -> bytes:
    return b"\0\0\x08\x01" + struct.pack(">I", len(held)) + bytes(held)


def put(**changed: bytes | None) -> None:
    """Four small IDX files in the folder `mnist`; `changed` has other bytes, or None to leave one
    out.
    """
    Path("mnist").mkdir()
    files = {
        IMAGES: images(20),
        LABELS: labels(*range(10), *range(10)),
        TEST_IMAGES: images(10),
        TEST_LABELS: labels(*range(10)),
    }
    for name, content in files.items():
        held = changed.get(name.replace("-", "_"), content)
        if held is not None:
            Path("mnist", name).write_bytes(held)


def put_changed(name: str, content: bytes | None) -> Callable[[], None]:
    return lambda: put(**{name.replace("-", "_"): content})


def only_threes() -> None:
    put(train_labels_idx1_ubyte=labels(*[3] * 20))


def no_test_of_either() -> None:
    put(t10k_labels_idx1_ubyte=labels(*[5] * 10))


def packed_and_cut() -> None:
    put(train_images_idx3_ubyte=None)
    Path("mnist", IMAGES + ".gz").write_bytes(gzip.compress(images(20))[:-10])


def recipe(text: str) -> Callable[[], None]:
    def prepare() -> None:
        Path("my.toml").write_text(text)

    return prepare


def network() -> None:
    Path("badnet.py").write_text(
        "from torch import nn\n"
        "def flat(): return nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))\n"
        "def stamp(): open('stamp', 'w').close()\n"
    )


def code_in_a_recipe() -> None:
    network()
    Path("my.toml").write_text('data = "digits"\npredict = "module(\'badnet:stamp\')"\n')


def file_in_the_way() -> None:
    Path("taken").touch()


def full_folder() -> None:
    Path("full").mkdir()
    Path("full/notes").touch()


def nothing() -> None:
    return None


# -- the table -------------------------------------------------------------------------------------

MNIST = ("mnist", "--data-dir", "mnist")
KNOWN_PREDICT = "write names of predict with numbers, texts, True, False or None: mlp(30)"
BAD: dict[str, tuple[Callable[[], None], tuple[str, ...], str]] = {
    # unknown names, with the nearest
    "data": (nothing, ("dgits",), "data has no 'dgits'; did you mean 'digits'?"),
    "value": (
        nothing,
        ("digits", "--predict", "mpl(30)"),
        "predict has no 'mpl'; did you mean 'mlp'?",
    ),
    "value of another step": (
        nothing,
        ("digits", "--loss", "sgd"),
        "loss has no 'sgd'; known: auto, binary_cross_entropy, cross_entropy, hinge, huber, "
        "mean_absolute_error, "
        "mean_squared_error, mnist_loss, negative_log_likelihood",
    ),
    "activation": (
        nothing,
        ("digits", "--predict", "mlp(30, activation='rleu')"),
        "predict: mlp(30, activation='rleu'): activation has no option 'rleu'; did you mean "
        "'relu'?",
    ),
    # wrong arguments
    "unknown argument": (
        nothing,
        ("digits", "--predict", "mlp(30, width=2)"),
        "predict: mlp: got an unexpected keyword argument 'width'; it takes mlp(*widths, "
        "activation='relu', dropout=0.0, "
        "batch_norm=False)",
    ),
    "missing argument": (
        nothing,
        ("digits", "--repeat", "batches"),
        "repeat: batches: missing a required argument: 'size'; it takes batches(size, *, "
        "shuffle=True, drop_last=False, "
        "seed=None)",
    ),
    "wrong kind of argument": (
        nothing,
        ("digits", "--predict", "mlp('30')"),
        "predict: mlp('30'): a width must be a whole number, not '30'",
    ),
    "argument of the data": (
        nothing,
        ("speed(noise=-1)",),
        "data: speed(noise=-1): noise must be at least 0, not -1",
    ),
    "lr of 0": (
        nothing,
        ("digits", "--step", "sgd(lr=0)"),
        "step: sgd(lr=0): lr must be above 0, not 0; try lr=0.1, or a schedule such as "
        "one_cycle(0.1)",
    ),
    "negative lr": (
        nothing,
        ("digits", "--step", "adam(lr=-0.1)"),
        "step: adam(lr=-0.1): lr must be above 0, not -0.1; try lr=0.1, or a schedule such as "
        "one_cycle(0.1)",
    ),
    "negative lr of a schedule": (
        nothing,
        ("digits", "--step", "sgd(lr=cosine(-1))"),
        "step: cosine(-1): lr must be above 0, not -1",
    ),
    "negative seed": (nothing, ("digits", "--seed", "-1"), "seed must be at least 0, not -1"),
    # malformed notation
    "open bracket": (
        nothing,
        ("digits", "--predict", "mlp(30"),
        "predict: 'mlp(30' cannot be read at character 4; write it as mlp(30)",
    ),
    "empty": (
        nothing,
        ("digits", "--stop", " "),
        "stop: '' is empty; write one of: "
        "accuracy, auto, epochs, loss_below, max_steps, patience, seconds",
    ),
    "two values": (
        nothing,
        ("digits", "--loss", "huber() | hinge()"),
        "loss: 'huber() | hinge()' joins values with |; only stop rules can be joined",
    ),
    "too long": (
        nothing,
        ("digits", "--predict", "mlp(" + "1," * 1500 + ")"),
        "predict: 'mlp(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1…' has 3005 characters; "  # noqa: E501
        "the limit is 2000",
    ),
    # text that tries to run code
    "import": (
        nothing,
        ("digits", "--predict", "__import__('os').system('touch stamp')"),
        "predict: '__import__('os').system('touch stamp')' has '__import__('os').system('touch "
        "stamp')', which is not a plain "
        "value; " + KNOWN_PREDICT,
    ),
    "call as an argument": (
        nothing,
        ("digits", "--predict", "mlp(open('stamp', 'w'))"),
        "predict has no 'open'; known: auto, binned_mlp, cnn, linear, mlp, module, neuron, "
        "pixel_similarity, polynomial",
    ),
    "attribute": (
        nothing,
        ("digits", "--predict", "mlp.build"),
        "predict: 'mlp.build' has 'mlp.build', which is not a plain value; " + KNOWN_PREDICT,
    ),
    "lambda": (
        nothing,
        ("digits", "--predict", "(lambda: 1)()"),
        "predict: '(lambda: 1)()' has '(lambda: 1)()', which is not a plain value; "
        + KNOWN_PREDICT,
    ),
    "code in a recipe": (
        code_in_a_recipe,
        ("--recipe", "my.toml"),
        'my.toml: predict = module("badnet:stamp") would run code from this machine; allow it '
        "with --allow-code "
        "(allow_code=True) if you trust the recipe",
    ),
    # IDX files
    "no folder": (
        nothing,
        MNIST,
        f"the data folder mnist is not there; give a folder that holds {IMAGES}, {LABELS}, "
        f"{TEST_IMAGES}, "
        f"{TEST_LABELS} (plain or .gz)",
    ),
    "missing IDX": (
        put_changed(TEST_LABELS, None),
        MNIST,
        f"mnist and its mnist and MNIST/raw lack {TEST_LABELS} (plain or .gz); put the files "
        "there, or give no data folder to "
        "have them downloaded",
    ),
    "truncated IDX": (
        put_changed(IMAGES, images(20)[:-1]),
        MNIST,
        f"mnist/{IMAGES}: cut short: its header announces 20 x 4 x 4 numbers, 320 bytes, but 319 "
        "follow; fetch it again",
    ),
    "truncated gzip": (
        packed_and_cut,
        MNIST,
        f"mnist/{IMAGES}.gz: damaged gzip (Compressed file ended before the end-of-stream marker "
        "was "
        "reached); fetch it again",
    ),
    "mislabelled IDX": (
        put_changed(IMAGES, labels(*range(10))),
        MNIST,
        f"mnist/{IMAGES}: holds 10 numbers (1 dimension), where images (3 dimensions) are "
        "expected; give the images file, "
        "not that of the labels",
    ),
    "not IDX": (
        put_changed(LABELS, b"<html>"),
        MNIST,
        f"mnist/{LABELS}: is not IDX: it starts with 3c 68 74 6d, not with 00 00 08 and 01 "
        "(labels) or 03 (images); give the files "
        "as MNIST publishes them",
    ),
    "counts that differ": (
        put_changed(LABELS, labels(*range(10))),
        MNIST,
        f"mnist/{IMAGES} has 20 images but {LABELS} has 10 labels; give the two files that belong "
        "together",
    ),
    "label out of range": (
        put_changed(LABELS, labels(*range(10), 11, *range(9))),
        MNIST,
        f"mnist/{LABELS}: the labels go outside 0..9: 11 at place 10; number the 10 classes from 0",
    ),
    # data that cannot be learned from
    "one class only": (
        only_threes,
        ("mnist37", "--data-dir", "mnist"),
        "mnist37: all training targets are 3: one class only; give samples of at least two",
    ),
    "empty split": (
        no_test_of_either,
        ("mnist37", "--data-dir", "mnist"),
        "mnist37: the validation part is empty; give it at least one sample",
    ),
    # what does not fit together
    "output [B]": (
        network,
        ("digits37", "--predict", 'module("badnet:flat")'),
        "the network gives [2] for 2 inputs, but the targets are two classes, 7 and 3: one "
        "output, its sigmoid is the "
        "probability of 3; its last layer must give [2, 1]",
    ),
    "batch larger than the data": (
        nothing,
        ("speed", "--repeat", "batches(64)"),
        "a batch of 64 is larger than the 20 training samples; use batches(20) or full_batch()",
    ),
    "initialiser of another network": (
        nothing,
        ("digits", "--initialize", "pixel_frequency", "--predict", "mlp(3)"),
        "pixel_frequency sets one weight per class and pixel, so it needs a network of one layer; "
        "use "
        "predict=linear(), or initialize=kaiming_normal()",
    ),
    "derivative of a step": (
        nothing,
        ("digits37", "--predict", "neuron('step')", "--gradient", "chain_rule"),
        "chain_rule: activation is a step activation, whose derivative is 0 everywhere (at 0 it "
        "has none), so nothing "
        "would be learned; use perceptron_rule()",
    ),
    # run folders
    "file in the way": (
        file_in_the_way,
        ("digits", "--out", "taken"),
        "the run folder taken cannot be made: a file of that name is in the way; give another "
        "folder (--out)",
    ),
    "file on the way": (
        file_in_the_way,
        ("digits", "--out", "taken/run"),
        "the run folder taken/run cannot be written: Not a directory; give another folder (--out)",
    ),
    "folder in use": (
        full_folder,
        ("digits", "--out", "full"),
        "full is not empty, and a run is never written over another; give another folder (--out), "
        "or remove it first",
    ),
    # recipes
    "unknown key": (
        recipe('data = "digits"\nprdict = "mlp(3)"\n'),
        ("--recipe", "my.toml"),
        "my.toml: unknown key 'prdict'; did you mean 'predict'?",
    ),
    "wrong type of a key": (
        recipe('data = "digits"\nseed = "one"\n'),
        ("--recipe", "my.toml"),
        "my.toml: seed must be a whole number, not 'one'",
    ),
    "not TOML": (
        recipe("digits\n"),
        ("--recipe", "my.toml"),
        "my.toml is not valid TOML: Expected '=' after a key in a key/value pair (at line 1, "
        "column 7)",
    ),
    "no recipe": (
        nothing,
        ("--recipe", "my.toml"),
        "there is no recipe my.toml; write one with Recipe.to_toml(), or take a run's recipe.toml",
    ),
    "recipe without data": (
        recipe('predict = "mlp(3)"\n'),
        ("--recipe", "my.toml"),
        'my.toml: the key data is missing; name the data, as in data = "digits"',
    ),
    "recipe with a table for a value": (
        recipe('data = "digits"\n[step]\nlr = 0.1\n'),
        ("--recipe", "my.toml"),
        "my.toml: step must be a text in quotes, as in step = \"sgd()\", not {'lr': 0.1}",
    ),
    "recipe of a Python object": (
        recipe('data = "digits"\npredict = "given(1)"\n'),
        ("--recipe", "my.toml"),
        "my.toml: predict = 'given(1)' was a Python object, which no file can hold; give it again "
        "in Python, as "
        "predict=…",
    ),
    "recipe with a seed without end": (
        recipe('data = "digits"\nseed = 0x' + "f" * 5000 + "\n"),
        ("--recipe", "my.toml"),
        "my.toml: seed is too large a number; TOML goes up to 2^63",
    ),
    "recipe of dots": (
        recipe(".".join("a" * 40_000) + " = 1\n"),
        ("--recipe", "my.toml"),
        "my.toml has more than 100 dots in a line; outside of quotes a recipe has none",
    ),
    "recipe of brackets": (
        recipe("data = " + "[" * 40_000 + "\n"),
        ("--recipe", "my.toml"),
        "my.toml is not valid TOML: too many brackets",
    ),
    "recipe of megabytes": (
        recipe("#" * 2_000_000),
        ("--recipe", "my.toml"),
        "my.toml cannot be read: it has 2,000,000 bytes, and a recipe at most 100,000; a recipe "
        "is a TOML text file",
    ),
    "recipe that is a folder": (
        nothing,
        ("--recipe", "."),
        ". cannot be read: it is no file; a recipe is a TOML text file",
    ),
}


def refused(arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`sevensteps train …` says `message` in one line, leaves with 2, and leaves no file."""
    before = sorted(str(path) for path in Path().rglob("*"))
    with pytest.raises(SystemExit) as left:
        main(["train", *arguments])
    written = capsys.readouterr()
    assert written.err == f"sevensteps: {message}\n"
    assert (left.value.code, written.out) == (2, "")
    assert (
        sorted(str(path) for path in Path().rglob("*") if "__pycache__" not in path.parts) == before
    ), "nothing is left behind"
    count("bad inputs, each one line and nothing left behind")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("SEVENSTEPS_DEBUG", "SEVENSTEPS_DATA"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("mistake", BAD)
def test_bad_input_is_one_line_that_says_the_fix(
    mistake: str, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare, arguments, message = BAD[mistake]
    prepare()
    refused(arguments, message, capsys)


def test_inputs_that_are_not_finite(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = sklearn.datasets.load_iris()
    found.data[7, 2] = float("nan")
    monkeypatch.setattr(sklearn.datasets, "load_iris", lambda: found)
    with pytest.raises(SystemExit) as left:
        main(["train", "iris(scale='none')"])
    written = capsys.readouterr()
    assert (left.value.code, written.out, list(Path().iterdir())) == (2, "", [])
    [line] = written.err.splitlines()
    assert line.startswith('sevensteps: iris(scale="none"): the ')
    assert " inputs hold 1 number that is not finite (nan or inf), the first in row " in line
    assert line.endswith("column 2 (petal length (cm)); fill them in or leave those rows out")


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_run_folder_that_may_not_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("locked").mkdir(mode=0o500)
    refused(
        ("digits", "--out", "locked/run"),
        "the run folder locked/run cannot be written: Permission denied; give another folder "
        "(--out)",
        capsys,
    )


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc here")
def test_a_run_folder_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    refused(
        ("digits", "--out", "/proc/run"),
        "the run folder /proc/run cannot be written: No such file or directory; give another "
        "folder (--out)",
        capsys,
    )


@pytest.mark.parametrize(
    "loss",
    [
        "mean_squared_error",
        "binary_cross_entropy",
        "mnist_loss",
        "hinge",
        "huber",
        "mean_absolute_error",
    ],
)
def test_a_target_of_another_shape_is_not_stretched(loss: str) -> None:
    with pytest.raises(ShapeError) as caught:
        getattr(ss, loss)()(torch.zeros(5, 1), torch.zeros(5))
    assert str(caught.value) == (
        f"{loss}: output [5, 1] against target [5] would be stretched to [5, 5]; "
        "give the target a column: target[:, None]"
    )


def test_every_message_is_one_line_with_a_fix() -> None:
    fixes = (
        "did you mean",
        "known:",
        "it takes",
        "try ",
        "write ",
        "use ",
        "give ",
        "must be",
        "the limit is",
        "number the",
        "fetch it",
        "put the files",
        "allow it",
        "only stop rules",
        "must give",
        "Expected",
        "name the data",
        "goes up to",
        "has none",
        "brackets",
        "a recipe is",
    )
    for mistake, (_, _, message) in BAD.items():
        assert "\n" not in message, mistake
        assert any(fix in message for fix in fixes), mistake
