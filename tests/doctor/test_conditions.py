"""Every condition on a faulty training, which it must name, and on the cured one, on which no
warning may be heard.

The trainings are those of benchmarks/doctor, which counts over seeds; here every seed must do.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from benchmarks.doctor import data
from benchmarks.doctor.cases import CASES
from benchmarks.doctor.loop import Outcome, run
from sevensteps.doctor.conditions import BY_STEP, condition, condition_names, summary
from sevensteps.doctor.trials.changes import FINITE, STANDARDIZE
from sevensteps.steps import parse
from tests.helpers.seeds import five_seeds

FAULTY = {
    "symmetric_units": "table: every weight .01",
    "signal_vanishes": "circle: 8 ReLU layers, weights within .05",
    "signal_explodes": "digits: 8 ReLU layers, weights 3 times He",
    "output_overconfident": "digits: tanh, weights 20 times Xavier",
    "dead_units": "circle: 8 ReLU layers, weights within .05",
    "saturated_units": "digits: tanh, weights 20 times Xavier",
    "no_nonlinearity": "circle: no activation",
    "mode_mismatch": "CNN: judged in training mode",
    "too_small": "circle: no hidden layer",
    "inputs_scrambled": "coloured pictures: view in place of permute",
    "samples_mixed": "sums: LSTM, time and batch exchanged",
    "input_not_used": "sums: GRU, the first step is read",
    "order_blind": "beginnings: attention without positions",
    "padding_read": "marks: the last step of the padding is read",
    "representation_collapsed": "field: triplets up to a margin, Adam .3",
    "output_loss_mismatch": "MNIST: logarithm missing",
    "target_shape_mismatch": "MNIST 3 and 7: [B] against [B, 1]",
    "target_out_of_range": "MNIST: targets -1 and 1",
    "loss_unsuited": "MNIST: class numbers regressed",
    "loss_sign": "MNIST: loss negated",
    "loss_scale": "MNIST: loss summed",
    "padding_in_loss": "field: tagger, padding counted",
    "loss_terms_unbalanced": "field: kinds, and prices in thousands",
    "vanishing_gradient": "MNIST: 8 sigmoid layers",
    "not_finite": "circle: 9 exponential layers",
    "gradient_not_cleared": "MNIST: gradient not cleared",
    "gradient_discarded": "MNIST: cleared for each of 16 batches",
    "gradient_clipped_away": "MNIST: clipped before unscaling",
    "updates_rounded_away": "digits: bfloat16 weights, small steps",
    "parameters_not_updated": "MNIST: only the head trains",
    "learning_rate_too_high": "MNIST: SGD 3, functional ReLU",
    "learning_rate_too_low": "MNIST: SGD 1e-5",
    "ill_conditioned": "speed: raw t",
    "weight_decay_too_strong": "MNIST: weight decay .5",
    "schedule_collapsed": "MNIST: schedule stepped per batch",
    "optimizer_setting": "MNIST: Adam with eps 10",
    "inputs_unscaled": "MNIST: pixels 0 to 255, SGD .1",
    "targets_unscaled": "x⁴ on ±100, raw",
    "not_shuffled": "MNIST: sorted",
    "same_batch_again": "MNIST: the same batch again",
    "inputs_not_finite": "MNIST: a NaN among the inputs",
    "labels_unrelated": "MNIST: random labels",
    "label_noise": "MNIST: 30 % of the labels wrong",
    "class_imbalance": "MNIST: a class of 6 samples",
    "train_valid_mismatch": "MNIST: labels off by one",
    "target_in_input": "words: no causal mask",
    "batch_too_small": "blob: batch 1, momentum .9",
    "overfitting": "MNIST: 150 samples by heart",
    "stopped_early": "parabola: 12 steps",
    "underfitting": "circle: no hidden layer",
    "does_not_learn": "field: texts of words in any order",
    "exploding_gradient": "table: linear, SGD .5",
}


# Where MNIST is not at hand, scikit-learn's digits stand in; they are learned too well for these.
OF_MNIST = {"MNIST: 150 samples by heart": "150 of these digits tell enough of the others"}


def of_mnist(case: str) -> None:
    """Skip a training that is what it should be on MNIST only, where there is none."""
    if (
        case in OF_MNIST
        and not (data.SHARED / "mnist").is_dir()
        and not any(data.SHARED.glob("*idx3-ubyte*"))
    ):
        pytest.skip(f"{case}: without MNIST, {OF_MNIST[case]}")


@pytest.fixture(autouse=True)
def own_random_numbers() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


# Trainings that show what they are to show long before the benchmark ends them.
EPOCHS = {
    "CNN: judged in training mode": 2,
    "CNN with norm": 2,
    "healthy: transformer": 4,
    "healthy: LSTM": 4,
}
# Cures that take long; `make test` takes the others.
LONG = {
    "circle: 8 SELU layers",
    "digits: float32 weights, small steps",
    "parabola: 400 steps",
    "MNIST: 16 batches accumulated",
    "x⁴, scaled",
    "digits: tanh",
    "digits: 8 ReLU layers, He",
    "circle: 16 units",
}


@functools.cache
def outcome(name: str, seed: int) -> Outcome:
    case = CASES[name]
    if name in EPOCHS:
        return run(dataclasses.replace(case.setup(seed), epochs=EPOCHS[name]), seed)
    return case.run(seed)


def flat(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [f for finding in findings for f in (finding, *flat(finding["symptoms"]))]


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("name", condition_names())
@five_seeds
@pytest.mark.sampled(4)
def test_a_fault_is_named_with_its_evidence(name: str, seed: int) -> None:
    of_mnist(FAULTY[name])
    findings = flat(outcome(FAULTY[name], seed).findings)
    found = [finding for finding in findings if finding["condition"] == name]
    assert found, f"{name} is not among {[f['condition'] for f in findings]}"
    (finding,) = found
    assert finding["step"] == condition(name).STEP
    assert finding["severity"] in ("warning", "error")
    assert 0 < finding["confidence"] <= 1
    assert finding["evidence"]
    assert len(finding["explanation"]) > 60
    for remedy in finding["remedies"]:
        assert remedy["why"]
        assert remedy["change"] or remedy["advice"]
        for step, text in remedy["change"].items():
            assert text in (STANDARDIZE, FINITE) if step == "data" else repr(parse(step, text))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in LONG else name
        # the CNN, which takes longest, comes last, and is no sample
        for name in sorted({CASES[case].twin for case in FAULTY.values()}, reverse=True)
    ],
)
@five_seeds
@pytest.mark.sampled(2)
def test_nothing_is_said_of_the_cured(name: str, seed: int) -> None:
    of_mnist(name)
    assert [f["condition"] for f in outcome(name, seed).findings if f["severity"] != "info"] == []


@pytest.mark.parametrize(
    "name",
    [
        "ReLU",
        "sigmoid",
        "tanh",
        "linear from zeros",
        "last layer from zeros",
        "CNN, norm, dropout",
        "transformer",
        "LSTM",
        "autoencoder",
        "binary, sigmoid and BCE",
        "log-softmax and NLL",
        "softmax, -log p by hand",
        "a density, loss below 0",
        "accumulated",
        "zero_grad after the step",
        "frozen first layer",
        "two optimizers",
        "cosine",
        "MNIST, pixels 0 to 255, Adam",
    ],
)
@five_seeds
@pytest.mark.sampled(3)
def test_nothing_is_said_of_the_healthy(name: str, seed: int) -> None:
    findings = outcome(f"healthy: {name}", seed).findings
    assert [f["condition"] for f in findings if f["severity"] != "info"] == []


@pytest.mark.parametrize(
    "name",
    ["tagger, padding ignored", "siamese", "focal loss", "counts, Poisson", "no optimizer"],
)
@five_seeds
@pytest.mark.sampled(2)
def test_nothing_is_said_of_trainings_from_many_fields(name: str, seed: int) -> None:
    found = outcome(f"field: {name}", seed)
    assert [f["condition"] for f in found.findings if f["severity"] != "info"] == []
    assert found.diagnosis.not_judged == []


def test_every_condition_of_the_vocabulary_is_there_and_blames_its_step() -> None:
    assert (
        set(FAULTY)
        == set(condition_names())
        == {name for names in BY_STEP.values() for name in names}
    )
    for step, names in BY_STEP.items():
        for name in names:
            assert step == condition(name).STEP
            assert set(condition(name).EXPLAINS) <= set(condition_names()) - {name}
            assert (condition(name).__doc__ or "").startswith(f"{name}: ")


def test_every_condition_can_be_described() -> None:
    for name in condition_names():
        said = summary(name)
        assert len(said) > 30
        assert not said.startswith(name)
        assert "\n" not in said
