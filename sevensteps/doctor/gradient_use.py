"""What the optimizers of a training used of its gradients, read off the accounts of its looks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from sevensteps.doctor.case import Case
from sevensteps.doctor.learning import judge
from sevensteps.doctor.measures import learned_enough
from sevensteps.observe.step_account import GroupAccount, ParameterAccount, joint_norm

SAME = 0.02  # by which the parameters' gradients may differ in how they were scaled


@dataclass(frozen=True)
class GradientUse:
    """One optimizer in one looked-at step, with the accounts of its parameters that a backward pass
    reached in that step.
    """

    step: int
    optimizer: int
    group: GroupAccount
    parameters: dict[str, ParameterAccount]

    @property
    def stepped(self) -> bool:
        """Whether the optimizer used these gradients in this step."""
        return any(p.stepped for p in self.parameters.values())

    @property
    def gradient(self) -> float:
        """The norm of the gradient after the backward pass, as a `GradScaler` left it."""
        return joint_norm(p.gradient for p in self.parameters.values())

    @property
    def used(self) -> float:
        """The norm of the gradient at the optimizer's step."""
        return joint_norm(p.used for p in self.parameters.values() if p.stepped)

    @property
    def untouched(self) -> bool:
        """Whether the optimizer used what the last backward pass had left, at most scaled as a
        whole; not what was put together from several passes, or set by hand.
        """
        ratios = [
            p.used / p.gradient
            for p in self.parameters.values()
            if p.stepped and p.used is not None and p.gradient
        ]
        return bool(ratios) and max(ratios) <= (1 + SAME) * min(ratios)


def gradient_uses(case: Case) -> Iterator[GradientUse]:
    """Every optimizer in every looked-at step that has an account and brought it gradients."""
    for look in case.looks:
        if (account := look.account) is None:
            continue
        for number in sorted({group.optimizer for group in account.groups}):
            parameters = {name: p for name, p in account.of_optimizer(number).items() if p.passes}
            if parameters:
                group = next(group for group in account.groups if group.optimizer == number)
                yield GradientUse(look.step, number, group, parameters)


def gradient_uses_by_hand(case: Case) -> Iterator[GradientUse]:
    """Every looked-at step of a training without an optimizer of PyTorch that is known, and whose
    account says what was left in the gradients.
    """
    for look in case.looks:
        if (account := look.account) is None or account.groups:
            continue
        parameters = {name: p for name, p in account.parameters.items() if p.passes}
        if parameters:
            yield GradientUse(look.step, 0, GroupAccount(0, "", math.nan), parameters)


def known_to_learn(case: Case, at_least: float) -> bool:
    """`learned_enough`, but not where neither a score nor the loss can say so: what an account
    proves is a fault of the loop, whatever its loss measures. Nor where the loss fell far, and
    another measure says that nothing was learned.
    """
    if case.before_training or (case.skill is None and judge(case).is_bad):
        return False
    return (case.skill is not None or case.loss_is_error) and learned_enough(case, at_least)


def spread(values: list[float]) -> float:
    """By what share of their mean these numbers vary: standard deviation over mean."""
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / len(values)) / max(mean, 1e-300)
