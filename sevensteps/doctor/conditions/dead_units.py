"""dead_units: rectifiers that are off for every sample get no gradient and do not come back.

Measured: per unit, whether it was off for all samples of the last looks, and for all samples of the
training data where the network is at hand; the onset is the step from which on it was so in every
look. Source: Lu et al. 2019, Dying ReLU and Initialization.

Remedies: `kaiming_normal()` with biases at 0; a leaky rectifier; a tenth of the learning rate
where the units died on the way; no ReLU on the output layer where it stands there. Silent on:
inputs that are always 0; sparse layers; a few dead units in a network that learns well; some units
of a wide layer that is shown a few samples only.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding, Measure, Remedy
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.measures import (
    change_activation,
    change_to_mlp,
    layer_label,
    learned_enough,
    output_activation,
    significant,
    step_with_rate,
)
from sevensteps.observe.look import Look

STEP = "predict"
EXPLAINS = (
    "vanishing_gradient",
    "underfitting",
    "too_small",
    "learning_rate_too_low",
    "parameters_not_updated",
    "stopped_early",
    "ill_conditioned",
    "schedule_collapsed",
    "batch_too_small",
    "labels_unrelated",
)
NARROW = 8  # units, of which each that is lost counts
ENOUGH_SAMPLES = 8  # of which a unit that fires for half is off for all in one case of 256
LARGE = 0.5  # share of a layer; fewer do no harm that a wider layer would not have


def examine(case: Case) -> Finding | None:
    dead = {
        layer.name: off
        for layer in case.layers("activation")
        if layer.function.rectifies
        if (off := _off(case, layer.name)) is not None and bool(off.any())
    }
    if not dead:
        return None
    shares = {name: float(off.double().mean()) for name, off in dead.items()}
    name, share = max(shares.items(), key=lambda item: item[1])
    if share < 1 and len(dead[name]) > NARROW and _few_samples(case):
        return None
    closing = output_activation(case)
    at_output = closing is not None and closing.name == name
    if share < (0.05 if at_output else LARGE) or _learns(case, share, at_output):
        if share > 0.05:
            case.ruled_out.append(
                (
                    "dead_units",
                    f"{share:.0%} of {layer_label(name)} is off for all samples seen; enough "
                    "units stay on",
                )
            )
        return None
    onset = _onset(case, name, dead[name])
    count, units = int(dead[name].sum()), len(dead[name])
    whole = count == units
    when = "from the start" if onset == 0 else f"since step {onset}"
    remedies = [
        Remedy(
            {"initialize": "kaiming_normal()"},
            "weights of the right size leave about half of the samples on the active side",
            "initialise with torch.nn.init.kaiming_normal_ and biases at 0",
        ),
        Remedy(
            change_activation(case, "leaky_relu"),
            "a leaky rectifier has a slope on both sides, so that a unit can come back",
            "use LeakyReLU in place of ReLU",
        ),
    ]
    if units <= NARROW:
        remedies.append(
            Remedy(
                change_to_mlp(case, 4),
                "with more units, enough stay active",
                "make the hidden layers wider",
            )
        )
    if onset and case.lr:
        remedies.insert(
            0,
            Remedy(
                {"step": step_with_rate(case, case.lr / 10)},
                "smaller steps do not throw units over the edge",
                f"a learning rate of {case.lr / 10:g}",
            ),
        )
    if at_output:
        remedies.insert(
            0,
            Remedy(
                {"loss": "auto()"},
                "the output has to reach every value that a target can have",
                "take the ReLU off the output layer",
            ),
        )
    return Finding(
        "dead_units",
        STEP,
        "error" if whole or at_output else "warning",
        0.9 if whole else 0.8 if at_output else 0.65,
        f"{count} of the {units} units of {layer_label(name)} give 0 for every sample, {when}. "
        "Their "
        "slope is 0 there too, so no gradient "
        "reaches them and they will not come "
        f"back{'; behind this layer nothing depends on the input any more' if whole else ''}.",
        [
            Measure(
                f"units of {layer_label(layer)} that are off for all samples",
                f"{int(off.sum())} of {len(off)}",
                "few",
                "all looks since the onset",
            )
            for layer, off in dead.items()
            if shares[layer] >= 0.05
        ]
        + [
            Measure(
                f"share of {layer_label(name)}", significant(share), f"below {LARGE:g}", "measured"
            )
        ],
        remedies,
        {
            "layers": [layer for layer in dead if shares[layer] >= 0.05],
            "units": {
                layer: torch.nonzero(off).flatten().tolist()[:64] for layer, off in dead.items()
            },
        },
        onset,
    )


def _learns(case: Case, share: float, at_output: bool) -> bool:
    """Whether the network learns all the same. Of a loss that says nothing it is taken for granted,
    but not behind a layer that is off as a whole.
    """
    if share == 1 and not at_output:
        return known_to_learn(case, 0.7)
    return learned_enough(case, 0.7 if share == 1 or at_output else 0.4)


def _few_samples(case: Case) -> bool:
    """Whether the data are so few samples that a unit may well be off for all of them by chance."""
    sketch = case.observation.sketch
    count = len(case.train[0]) if case.train is not None else sketch.distinct_rows
    return 0 < count < ENOUGH_SAMPLES


def _off(case: Case, name: str) -> Tensor | None:
    """Which units were off for every sample of the last looks, and of the training sample where the
    network can be asked.
    """
    looks: list[Look] = [look for look in case.looks[-3:] if name in look.signals]
    if case.probe is not None and name in case.probe.signals:
        looks = [*looks[-2:], case.probe]
    parts = [look.signals[name].firing for look in looks]
    if not parts or any(part.shape != parts[0].shape for part in parts):
        return None
    return torch.stack([part == 0 for part in parts]).all(0)


def _onset(case: Case, name: str, off: Tensor) -> int | None:
    """The step from which on at least half of these units were off in every look."""
    onset: int | None = None
    for look in reversed(case.looks):
        signal = look.signals.get(name)
        if (
            signal is None
            or signal.firing.shape != off.shape
            or float((signal.firing[off] == 0).double().mean()) < 0.5
        ):
            break
        onset = look.step
    return onset
