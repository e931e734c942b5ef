"""What would a head learn if its own loss alone were trained for? A copy of the network is trained
for it, briefly, and judged on samples that it was not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevensteps.doctor.asking import ask
from sevensteps.doctor.case import Case, failure_text
from sevensteps.doctor.other_scores import score_of_head, target_of_head
from sevensteps.doctor.questions.asker import work_of
from sevensteps.observe.structure import rows, sample_count, tensors_of

BETTER_ALONE = 0.1  # of the score, that is more than luck
STEPS, BATCH = 300, 32
JUDGED = 3  # every third sample
LEAST_SAMPLES = 90
WORK = 2e9  # products of a number and a weight, in all steps together
RATES = (3e-4, 1e-2)  # of Adam, within which that of the training is taken


@dataclass(frozen=True)
class Alone:
    """The score of a head ("accuracy" or "r2") as it is, and that of a copy after so many `steps`
    for its loss alone, on `samples` that these did not use.
    """

    measure: str
    before: float
    after: float
    steps: int
    samples: int


def trained_alone(case: Case, path: str) -> Alone | None:
    """Train a copy for the output at `path` alone; None where its targets are not known, or it
    would take long.
    """
    examples = case.examples
    if case.network is None or examples is None or case.before_training:
        return None
    count = sample_count(examples[0])
    if count < LEAST_SAMPLES:
        return None
    if 3 * work_of(case.network, examples[0]) * BATCH * STEPS > WORK:
        return None
    others = torch.arange(0, count, JUDGED)
    own = torch.ones(count, dtype=torch.bool)
    own[others] = False
    with case.network_copy(training=True) as network:
        if network is None:
            return None
        try:
            output = _output(network, examples[0], path)
            target = target_of_head(path, output, tensors_of(examples[1]))
            if target is None or len(target) != count:
                return None
            network.eval()
            measure, before, _ = _score(network, rows(examples[0], others), path, target[others])
            network.train()
            rate = min(max(case.lr or RATES[1], RATES[0]), RATES[1])
            _train(network, rate, examples[0], path, target, own.nonzero().flatten())
            network.eval()
            _, after, _ = _score(network, rows(examples[0], others), path, target[others])
        except Exception as failure:
            case.not_judged.append(("a head by itself", failure_text(failure)))
            return None
    if before is None or after is None:
        return None
    return Alone(measure, before, after, STEPS, len(others))


def _output(network: nn.Module, inputs: object, path: str) -> Tensor:
    return tensors_of(ask(network, inputs))[path]


def _score(
    network: nn.Module, inputs: object, path: str, target: Tensor
) -> tuple[str, float | None, float]:
    with torch.no_grad():
        return score_of_head(_output(network, inputs, path), target)


def _train(
    network: nn.Module, rate: float, x: object, path: str, target: Tensor, own: Tensor
) -> None:
    numbers = target.double()
    spread = numbers[own].std(0).clamp_min(1e-12).reshape(-1)
    optimizer = torch.optim.Adam(network.parameters(), rate)
    order = torch.Generator().manual_seed(0)
    with torch.enable_grad():
        for _ in range(STEPS):
            few = own[torch.randint(len(own), (BATCH,), generator=order)]
            output = _output(network, rows(x, few), path)
            if target.is_floating_point():
                error = (output.reshape(len(few), -1) - target[few].reshape(len(few), -1)) / spread
                loss = error.square().mean()
            elif output[0].numel() == 1:
                loss = F.binary_cross_entropy_with_logits(
                    output.reshape(-1), target[few].reshape(-1).to(output.dtype)
                )
            else:
                loss = F.cross_entropy(output, target[few].long())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
