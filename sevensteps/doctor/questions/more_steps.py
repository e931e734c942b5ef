"""What would more steps of the same kind bring? A copy of the network is trained on, briefly."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sevensteps.doctor.asking import ask
from sevensteps.doctor.case import Case, failure_text
from sevensteps.doctor.pairs import Pair, targets_of
from sevensteps.doctor.questions.asker import work_of
from sevensteps.observe.structure import rows, sample_count

TIMES = 2  # as many steps again
MAX_STEPS = 600
WORK = 3e9  # products of a number and a weight, in all steps together
SAMPLES = 2000  # that are judged
OPTIMIZERS = ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "RAdam", "Adamax")


@dataclass(frozen=True)
class MoreSteps:
    """The score as it is, and that of a copy after so many more `steps`: on the validation data, or
    without any on the training data (`of`).
    """

    before: float
    after: float
    steps: int
    of: str = "validation"


def more_steps(case: Case, *, thawed: bool = False) -> MoreSteps | None:
    """Train a copy on with the same loss, batch, rate and kind of optimizer; `thawed`: with what is
    frozen, too. None where the data, the loss or a score are not known, or where it would take
    long.
    """
    train, part = case.part("train"), "train" if case.part("valid") is None else "valid"
    judged, before = case.part(part), case.scores.get(part)
    batch = max((look.batch for look in case.looks), default=0)
    name = str(case.facts.groups[0]["optimizer"]) if case.facts.groups else ""
    if train is None or judged is None or before is None or case.network is None:
        return None
    if case.loss is None or not case.lr or batch < 1 or name not in OPTIMIZERS:
        return None
    steps = min(TIMES * case.steps, MAX_STEPS)
    if 3 * work_of(case.network, train[0]) * batch * steps > WORK:
        return None
    with case.network_copy(training=True) as network:
        if network is None:
            return None
        try:
            if thawed:
                network.requires_grad_(True)
            optimizer = getattr(torch.optim, name)(network.parameters(), lr=case.lr)
            _train(network, optimizer, case, train, batch, steps)
            network.eval()
            some = torch.arange(min(sample_count(judged[0]), SAMPLES))
            with torch.no_grad():
                answer = case.answer_in(ask(network, rows(judged[0], some)))
            after = case.score(answer, targets_of((None, rows(judged[1], some))))
        except Exception as failure:
            case.not_judged.append(("more steps", failure_text(failure)))
            return None
    named = "training" if part == "train" else "validation"
    return None if after is None else MoreSteps(before, after, steps, named)


def _train(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    case: Case,
    train: Pair,
    batch: int,
    steps: int,
) -> None:
    x, y = train
    order = torch.Generator().manual_seed(0)
    chosen = torch.empty(0, dtype=torch.long)
    assert case.loss is not None
    with torch.enable_grad():
        for _ in range(steps):
            if len(chosen) < batch:
                chosen = torch.cat([chosen, torch.randperm(sample_count(x), generator=order)])
            few, chosen = chosen[:batch], chosen[batch:]
            output = ask(network, rows(x, few))
            answer = output if case.loss_fn is not None else case.answer_in(output)
            optimizer.zero_grad()
            case.loss(answer, rows(y, few)).mean().backward()  # type: ignore[arg-type]
            optimizer.step()
