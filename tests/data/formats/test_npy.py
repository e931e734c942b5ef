"""Arrays in files of one's own, in memory or larger than it: the same data, trained on alike."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

import sevensteps as ss
from sevensteps.cli import main
from sevensteps.data import Data, load
from sevensteps.data.streaming.streamed_inputs import StreamedInputs
from sevensteps.doctor.trials.changes import rescale
from sevensteps.errors import DataError, Error
from sevensteps.training import loop, state
from sevensteps.training.recipe import Recipe
from sevensteps.training.resolve import resolve
from tests.helpers.interrupts import InterruptAt

LITTLE = "memory=0.02"  # megabytes


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def put(
    count: int = 600, *shape: int, kind: str = "f4", seed: int = 0
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """x.npy and y.npy: three classes that lie apart, in order of class as many files have them."""
    draw = numpy.random.default_rng(seed)
    y = numpy.sort(draw.integers(0, 3, count))
    x = draw.normal(100, 20, (count, *(shape or (6,)))) + 40 * y.reshape(
        -1, *[1] * len(shape or (6,))
    )
    x = x.clip(0, 255).astype(kind)
    numpy.save("x.npy", x)
    numpy.save("y.npy", y)
    return x, y


def idx(name: str, array: numpy.ndarray) -> None:
    Path(name).write_bytes(
        b"\0\0\x08"
        + bytes([array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + array.astype("u1").tobytes()
    )


def both(source: str, **more: Any) -> tuple[Data, Data]:
    """The same source in memory and from disk."""
    inside, streamed = load(source, **more), load(source, **more, memory=0.02)
    assert isinstance(inside.train.x, torch.Tensor)
    assert isinstance(streamed.train.x, StreamedInputs)
    return inside, streamed


def sorted_rows(x: torch.Tensor) -> torch.Tensor:
    flat = x.flatten(1).numpy()
    return torch.from_numpy(flat[numpy.lexsort(flat.T)])


# -- what is read ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        ((6,), "f4"),
        ((6,), "f8"),
        ((6,), "i2"),
        ((4, 5), "u1"),
        ((3, 4, 5), "u1"),
        ((4, 5, 3), "u1"),
    ],
)
def test_data_from_disk_are_those_in_memory(shape: tuple[int, ...], kind: str) -> None:
    put(600, *shape, kind=kind)
    inside, streamed = both("x.npy", target="y.npy")
    assert (streamed.task, streamed.kind, streamed.highest) == (
        inside.task,
        inside.kind,
        inside.highest,
    )
    for part in ("train", "valid"):
        a, b = getattr(inside, part), getattr(streamed, part)
        torch.testing.assert_close(sorted_rows(b.x[:]), sorted_rows(a.x), atol=2e-5, rtol=0)
        assert torch.equal(b.y.sort().values, a.y.sort().values)
        torch.testing.assert_close(b.x[b.y == 1].mean(0), a.x[a.y == 1].mean(0), atol=2e-5, rtol=0)
    on_disk, wanted = streamed.facts(), inside.facts()
    for part in ("train", "valid"):
        assert on_disk[part]["classes"] == wanted[part]["classes"]
        assert on_disk[part]["inputs"] == pytest.approx(wanted[part]["inputs"], abs=1e-4)
    assert [
        on_disk[key]
        for key in ("inputs", "constant_inputs", "always_zero_inputs", "duplicates", "shape")
    ] == [
        wanted[key]
        for key in ("inputs", "constant_inputs", "always_zero_inputs", "duplicates", "shape")
    ]


def test_copies_across_the_split_are_counted_on_disk_too() -> None:
    x, y = put(600)
    numpy.save("x.npy", numpy.concatenate([x, x[:50]]))
    numpy.save("y.npy", numpy.concatenate([y, y[:50]]))
    inside, streamed = both("x.npy", target="y.npy")
    assert inside.facts()["duplicates"] == streamed.facts()["duplicates"] > 0


def test_a_column_of_the_table_can_be_the_target() -> None:
    x, y = put(600)
    numpy.save("all.npy", numpy.column_stack([x, y]).astype("f4"))
    inside, streamed = both("all.npy", target="-1")
    assert inside.task.kind == streamed.task.kind == "multiclass"
    assert inside.train.x.shape[1:] == streamed.train.x.shape[1:] == (6,)
    numpy.save("amounts.npy", x.astype("f4"))
    assert load("amounts.npy", target=2).task.kind == "regression"
    exact = 2.0**30 + numpy.arange(600)  # which float32 would round to multiples of 64
    numpy.save("exact.npy", numpy.column_stack([x, exact]))
    for memory in (None, 0.02):
        data = load("exact.npy", target=-1, memory=memory)
        assert sorted(
            [*data.train.y[:, 0].double().tolist(), *data.valid.y[:, 0].double().tolist()]
        ) == sorted(torch.from_numpy(exact).float().double().tolist())
        shifted = load("exact.npy", target=-1, memory=memory, target_scale="standardize")
        assert len(torch.unique(torch.cat([shifted.train.y, shifted.valid.y]))) == 600


BAD = [
    (
        {},
        "x.npy",
        {},
        "x.npy: say where the targets are: the file that has them, as in --target y.npy, or the "
        "number of their column, as "
        "in --target -1",
    ),
    (
        {},
        "gone.npy",
        {"target": "y.npy"},
        "gone.npy: there is no such file; give a .npy that numpy.save wrote",
    ),
    (
        {},
        "x.npy",
        {"target": "gone.npy"},
        "gone.npy: there is no such file; give a .npy that numpy.save wrote",
    ),
    (
        {"y": numpy.array([0, 1, 1])},
        "x.npy",
        {"target": "y.npy"},
        'npy("x.npy", target="y.npy"): 600 inputs but 3 targets; give one target for each input',
    ),
    (
        {},
        "x.npy",
        {"target": "9"},
        "x.npy: has shape [600, 6], so there is no column 9 to predict from others",
    ),
    (
        {"x": numpy.zeros((5, 2), complex)},
        "x.npy",
        {"target": "y.npy"},
        "x.npy: holds complex128, which cannot be trained on as it is; save it as float32 or uint8",
    ),
    (
        {"x": numpy.asfortranarray(numpy.zeros((5, 2)))},
        "x.npy",
        {"target": "y.npy"},
        "x.npy: is stored column by column; save it with numpy.save(path, "
        "numpy.ascontiguousarray(x))",
    ),
    (
        {"x": numpy.array([{}, 1], object)},
        "x.npy",
        {"target": "y.npy"},
        "x.npy: holds Python objects, which could run code; save numbers or texts",
    ),
    ({"x": numpy.zeros((5, 7, 2, 3))}, "x.npy", {"target": "y.npy"}, None),
    (
        {"x": numpy.zeros((5, 7, 2, 2))},
        "x.npy",
        {"target": "y.npy"},
        "x.npy: has shape [5, 7, 2, 2]; pictures have 1 or 3 channels: [samples, 1 or 3, height, "
        "width]",
    ),
    (
        {"x": numpy.zeros((5, 0))},
        "x.npy",
        {"target": "y.npy"},
        "x.npy: has shape [5, 0]; give [samples, columns] for a table, [samples, 1 or 3, height, "
        "width] for pictures",
    ),
    ({"x": b"no array"}, "x.npy", {"target": "y.npy"}, None),
    ({}, "x.npy", {"target": "y.npy", "memory": 0}, "memory must be above 0, not 0"),
    (
        {"x": numpy.full((600, 6), numpy.nan, "f4")},
        "x.npy",
        {"target": "y.npy", "memory": 0.02},
        'npy("x.npy", target="y.npy", memory=0.02): the training inputs hold numbers that are not '
        "finite (nan or inf), the first in row "
        "0, column 0; fill them in or leave those rows out",
    ),
]


@pytest.mark.parametrize(("files", "source", "more", "message"), BAD, ids=range(len(BAD)))
def test_what_cannot_be_read_is_refused(
    files: dict[str, Any], source: str, more: dict[str, Any], message: str | None
) -> None:
    put()
    for name, array in files.items():
        if isinstance(array, bytes):
            Path(f"{name}.npy").write_bytes(array)
        else:
            numpy.save(f"{name}.npy", array, allow_pickle=True)
    with pytest.raises(Error) as raised:
        load(source, **more)
    assert "\n" not in str(raised.value)
    if message is not None:
        assert str(raised.value) == message


def test_a_file_cut_short_is_refused_before_memory_is_taken() -> None:
    put()
    whole = Path("x.npy").read_bytes()
    Path("x.npy").write_bytes(whole[:-1])
    cut = (
        r"^x\.npy: is cut short: its header announces 600 x 6 numbers, more than the file holds; "
        r"fetch it again$"
    )
    with pytest.raises(DataError, match=cut):
        load("x.npy", target="y.npy")
    Path("x.npy").write_bytes(whole.replace(b"(600, 6)", b"(10**9,"))
    with pytest.raises(DataError, match=r"^x\.npy: cannot be read as a \.npy: "):
        load("x.npy", target="y.npy")


# -- training --------------------------------------------------------------------------------------


def weights(data: str | Data, **steps: Any) -> torch.Tensor:
    values = {
        "predict": "mlp(8)",
        "step": "sgd(lr=0.1)",
        "repeat": "batches(32)",
        "stop": "epochs(3)",
        "out": False,
        **steps,
    }
    return torch.nn.utils.parameters_to_vector(
        ss.train(data, **values).network.parameters()
    ).detach()


def test_training_on_disk_learns_repeats_and_leaves_the_order_to_the_seed() -> None:
    put()
    streamed = load("x.npy", target="y.npy", memory=0.02)
    run = ss.train(
        streamed,
        predict="mlp(8)",
        step="sgd(lr=0.1)",
        repeat="batches(32)",
        stop="epochs(8)",
        out=False,
    )
    assert run.metrics["valid"]["accuracy"] > 0.9
    assert torch.equal(weights(streamed), weights(load("x.npy", target="y.npy", memory=0.02)))
    assert not torch.equal(weights(streamed), weights(streamed, seed=1))


def test_batches_in_order_are_those_of_the_file() -> None:
    """Unshuffled, the same samples in the same batches as in memory: the same training but for how
    float32 rounds.
    """
    put()
    streamed = load("x.npy", target="y.npy", memory=0.02)
    inside = ss.data.from_arrays(
        streamed.train.x[:], streamed.train.y, valid=(streamed.valid.x[:], streamed.valid.y)
    )
    for repeat in ("batches(32, shuffle=False)", "batches(32, shuffle=False, drop_last=True)"):
        assert torch.equal(weights(streamed, repeat=repeat), weights(inside, repeat=repeat))


@pytest.mark.parametrize("initialize", ["lsuv()", "label", "pixel_frequency()", "class_means()"])
def test_initialisations_that_look_at_the_data_find_the_same(initialize: str) -> None:
    put(600, 4, 5, kind="u1")
    streamed = load("x.npy", target="y.npy", memory=0.02)
    inside = ss.data.from_arrays(
        streamed.train.x[:], streamed.train.y, valid=(streamed.valid.x[:], streamed.valid.y)
    )
    value = 'zeros(bias="label_prior")' if initialize == "label" else initialize
    predict = {"pixel_frequency()": "linear()", "class_means()": "pixel_similarity()"}.get(
        initialize, "mlp(8)"
    )
    weights_of_both = []
    for data in (streamed, inside):
        training = state.start(
            resolve(
                Recipe(
                    data, initialize=value, predict=predict, stop="epochs(0)", repeat="batches(32)"
                )
            )
        )
        loop.train(training)
        weights_of_both.append(
            torch.cat([array.flatten() for array in training.network.state_dict().values()])
        )
    torch.testing.assert_close(*weights_of_both, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    "repeat", ["batches(64)", "batches(64, shuffle=False)", "batches(64, drop_last=True)"]
)
@pytest.mark.sampled(1)
def test_resumed_at_any_step_it_ends_in_the_same_bits(repeat: str) -> None:
    put()
    source = f'npy("x.npy", target="y.npy", {LITTLE})'
    arguments: dict[str, Any] = {
        "predict": "mlp(8, dropout=0.2)",
        "step": "adam(lr=0.01)",
        "repeat": repeat,
        "stop": "epochs(2)",
        "watch": 0,
    }
    whole = ss.train(source, out="whole", **arguments)
    for step in range(1, whole.summary["steps"], 3):
        ss.train(source, out=f"at{step}", observers=[InterruptAt(step)], **arguments)
        gone_on = ss.resume(f"at{step}", watch=0)
        assert [row["train"] for row in gone_on.history] == [row["train"] for row in whole.history]
        for a, b in zip(gone_on.network.parameters(), whole.network.parameters(), strict=True):
            assert torch.equal(a, b)


def test_what_needs_all_samples_at_once_says_so() -> None:
    put()
    message = (
        r"^full_batch\(\) takes all 479 samples at once, but they stay on disk; use "
        r"batches\(256\), or allow the data more memory$"
    )
    with pytest.raises(DataError, match=message):
        ss.train(f'npy("x.npy", target="y.npy", {LITTLE})', repeat="full_batch()", out=False)


def test_a_remedy_of_the_scaling_is_tried_from_disk() -> None:
    put()
    streamed = load("x.npy", target="y.npy", memory=0.02, scale="none")
    changed = rescale(streamed, "standardize()")
    assert isinstance(changed, Data)
    wanted = load("x.npy", target="y.npy", memory=0.02, scale="standardize")
    assert torch.equal(changed.train.x[:], wanted.train.x[:])
    assert load(changed.source).train.x.scaling.name == "standardize"


def sevensteps(capsys: pytest.CaptureFixture[str], *typed: str) -> str:
    with pytest.raises(SystemExit) as left:
        main(list(typed))
    written = capsys.readouterr()
    assert not left.value.code, written.err
    return written.out


def test_the_command_line_from_data_to_answers(capsys: pytest.CaptureFixture[str]) -> None:
    put()
    source = f'npy("x.npy", target="y.npy", {LITTLE})'
    assert "479" in sevensteps(capsys, "data", source)
    trained = sevensteps(capsys, "train", source, "--out", "run", "--stop", "epochs(3)", "--json")
    assert json.loads(trained.splitlines()[-1])["metrics"]["valid"]["accuracy"] > 0.7
    assert len(sevensteps(capsys, "predict", "run", "x.npy").splitlines()) >= 600
    sevensteps(
        capsys, "train", "x.npy", "--target", "y.npy", "--out", "typed", "--stop", "epochs(1)"
    )
    assert ss.load("typed").recipe.source == source.replace(f", {LITTLE}", "")


# -- the limit -------------------------------------------------------------------------------------

LIMITED = """
import resource, sys
import torch
torch.set_num_threads(1)
import sevensteps as ss
from sevensteps.data.streaming.memory_limit import available_memory
# for the libraries that every training loads
ss.train("moons", predict="mlp(8)", stop="epochs(3)", out=False, progress=False)
def most():
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
def now(name):
    return int(open("/proc/self/statm").read().split()[name]) * resource.getpagesize()
limit = {limit} * 1_000_000
resource.setrlimit(resource.RLIMIT_DATA, (now(5) + limit, resource.RLIM_INFINITY))
assert available_memory() <= limit, available_memory()
before = most()
run = ss.train('npy("big.npy", target="y.npy"{memory})', predict="mlp(30)", repeat="batches(256)",
               stop="epochs(2)", out=False, progress=False)
print(run.summary["data"]["train"], run.metrics["valid"]["accuracy"], (most() - before) / 1e6)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="needs /proc to read memory")
@pytest.mark.parametrize(
    "memory", ["", pytest.param(", memory=96", marks=pytest.mark.slow)], ids=["found", "said"]
)
@pytest.mark.long
def test_a_file_four_times_the_memory_is_trained_on_within_it(memory: str) -> None:
    """512 MB of float32 with 128 MB to be had, also for all else that training takes; whether the
    limit is found or said.
    """
    limit, count, columns = 128, 160_000, 800
    memory_map = numpy.lib.format.open_memmap("big.npy", "w+", "f4", (count, columns))
    draw = numpy.random.default_rng(0)
    y = draw.integers(0, 2, count)
    noise = draw.normal(0, 1, (8000, columns)).astype("f4")
    for start in range(0, count, 8000):
        memory_map[start : start + 8000] = (
            draw.permutation(noise) + 0.2 * y[start : start + 8000, None]
        )
    memory_map.flush()
    del memory_map
    numpy.save("y.npy", y)
    assert Path("big.npy").stat().st_size >= 4 * limit * 1_000_000
    script = LIMITED.format(limit=limit, memory=memory)
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    samples, accuracy, grown = ended.stdout.split()
    assert int(samples) == 128_000
    assert float(accuracy) > 0.9
    assert float(grown) < limit
