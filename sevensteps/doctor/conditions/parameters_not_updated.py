"""parameters_not_updated: no step changes some of the parameters that should be trained.

Measured: the optimizers' groups (they may hold another network's parameters, or two of them the
same), which parameters a gradient reached (the loss may not depend on them, or have no graph at
all), the layers that the network has without registering them (in a plain list, as plain tensors,
or made anew in each call), and the true updates (every step may leave them where they are). An
update counts as none where it is exactly 0. Answers of several that no gradient ever comes back to,
and that nothing has trained before; parameters of zeros that are multiplied with each other, so
that each waits for the other to move (source: Hu et al. 2021, LoRA, of whose two factors one is
drawn).

Remedies: build the optimizer from `model.parameters()` after the model is complete;
`nn.ModuleList`; look for `detach`, `no_grad` and layers that `forward` does not call; call
`optimizer.step()`. Silent on: freezing on purpose by `requires_grad_(False)`, but for a last layer
that is frozen with nearly all the rest in a network that learns poorly, and for layers frozen as
they were drawn where even a simple model does better, or a copy that trains them, too; what another
optimizer moves; a few parameters that the loss does not use; accumulation, whose steps are fewer
than its backward passes. Where the network learns well, a remark.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from sevensteps.doctor.case import Case
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.frozen_parameters import frozen_as_drawn, frozen_head, frozen_zeros
from sevensteps.doctor.frozen_word import frozen_word
from sevensteps.doctor.measures import median, total_norm, weight_layers
from sevensteps.doctor.not_updated_finding import listed, not_updated_finding
from sevensteps.doctor.without_gradient import products_of_zeros, unread_answers, unread_columns
from sevensteps.doctor.without_optimizer import (
    beside_unreached,
    drawn_in_each_call,
    left_out,
    orphans,
    plain_tensors,
    unregistered,
)
from sevensteps.observe.network_facts import ParameterFacts
from sevensteps.observe.step_account import StepAccount

STEP = "gradient"
EXPLAINS = (
    "underfitting",
    "learning_rate_too_low",
    "stopped_early",
    "too_small",
    "vanishing_gradient",
    "labels_unrelated",
    "symmetric_units",
    "dead_units",
    "saturated_units",
    "signal_vanishes",
    "schedule_collapsed",
    "ill_conditioned",
    "class_imbalance",
)
LEAST = 1e-7  # of the weights: a step that is less changes no number of 32 bits
STEPPED_LOOKS = 6  # with a step of an optimizer that no gradient ever reached
FAR = 16  # steps between first and last look; gradients may be accumulated over some


def examine(case: Case) -> Finding | None:
    trained = {name: p for name, p in case.facts.parameters.items() if p.trained}
    total = sum(math.prod(p.shape) for p in trained.values())
    if not total or not case.looks:
        return None

    def share(names: list[str]) -> float:
        return sum(math.prod(trained[name].shape) for name in names) / total

    accounts = [look.account for look in case.looks if look.account is not None]
    if (finding := _without_graph(case, list(trained), accounts)) is not None:
        return finding
    if (finding := unregistered(case, total, accounts)) is not None:
        return finding
    if (finding := left_out(case, total)) is not None:
        return finding
    if (finding := orphans(case, trained, accounts)) is not None:
        return finding
    if (finding := frozen_head(case, total)) is not None:
        return finding
    if (finding := frozen_as_drawn(case) or frozen_zeros(case, total)) is not None:
        return finding
    for seek in (drawn_in_each_call, plain_tensors, _never_reached):
        if (finding := seek(case, trained)) is not None:
            return finding
    if (finding := _zeros(case, share)) is not None:
        return finding
    graph = case.observation.graph
    if graph is not None and graph.complete:
        reached = graph.reached | {
            name for account in accounts for name, p in account.parameters.items() if p.passes
        }
        lost = [name for name in trained if name not in reached]
        if lost and (unread := unread_answers(case, lost)):
            return _unread(case, lost, share(lost), "output " + ", ".join(unread))
        if lost and share(lost) > 0.02:
            return not_updated_finding(
                case,
                lost,
                share(lost),
                0.85 if share(lost) > 0.2 else 0.6,
                f"The loss does not depend on {listed(lost)}: no gradient reaches "
                f"{share(lost):.0%} of the parameters.",
                "not in the loss's graph",
                "look for detach(), .data, no_grad() or a layer that forward() does not call",
                by_optimizer=False,
            )
    if (finding := frozen_word(case)) is not None:
        return finding
    if columns := unread_columns(case):
        matrix = weight_layers(case)[-1][1]
        rows = len(columns) / trained[matrix].shape[0]
        which = "column " + ", ".join(map(str, columns)) + " of the answer"
        return _unread(case, [matrix], rows * share([matrix]), which)
    still = [name for name in trained if _still(case, name)]
    if still and share(still) > 0.2:
        return not_updated_finding(
            case,
            still,
            share(still),
            0.9,
            f"{listed(still)} get a gradient, and yet none of the observed steps changed "
            f"them: {share(still):.0%} of the parameters stand still.",
            "no change in any look",
            "call optimizer.step(), and check the learning rate of every group",
        )
    return None


def _unread(case: Case, names: list[str], share: float, which: str) -> Finding:
    """Answers that the network gives and no loss reads: the others say nothing of them."""
    finding = not_updated_finding(
        case,
        names,
        share,
        0.85,
        f"No gradient ever comes back to {which}: no loss that is trained for reads it, and what "
        f"only it needs ({listed(names)}) is as it was drawn. How well the rest learns says "
        "nothing of that.",
        "no gradient in any look",
        "add up the losses of all answers (loss = loss + …, not loss = …), and keep what the loss "
        "is computed of as tensors: .item(), float(), .detach() and torch.tensor() end its graph",
        by_optimizer=False,
    )
    finding.severity = "error" if finding.severity == "error" else "warning"
    return finding


def _zeros(case: Case, share: Callable[[list[str]], float]) -> Finding | None:
    """Factors that are all zeros: the gradient of each is a multiple of the other."""
    names = products_of_zeros(case)
    if not names or any(finding.condition == "symmetric_units" for finding in case.findings):
        return None
    return not_updated_finding(
        case,
        names,
        share(names),
        0.9,
        f"{listed(names)} began as zeros, and their gradient was exactly 0 in every look: they are "
        "multiplied with each other, so that each gets a gradient only once the other is not 0. "
        f"{share(names):.0%} of the parameters never move.",
        "zeros, with a gradient of 0",
        "let only one factor of a product start at 0: draw the other, as LoRA does "
        "(nn.init.kaiming_uniform_(A), nn.init.zeros_(B))",
        by_optimizer=False,
    )


def _without_graph(case: Case, names: list[str], accounts: list[StepAccount]) -> Finding | None:
    """The loss requires a gradient, set by hand, and no graph leads from it to any parameter."""
    rootless = [
        account
        for account in accounts
        if account.rootless and not any(p.passes for p in account.parameters.values())
    ]
    if not rootless or len(rootless) < len(accounts):
        return None
    return not_updated_finding(
        case,
        names,
        1.0,
        0.98,
        "The loss has requires_grad set by hand, and no graph behind it: backward() computes its "
        "derivative with respect to itself alone. No gradient reaches any parameter.",
        "no graph behind the loss",
        "remove loss.requires_grad = True and see where the graph ends: detach(), .data, numpy(), "
        "torch.tensor(output), no_grad()",
    )


def _never_reached(case: Case, trained: dict[str, ParameterFacts]) -> Finding | None:
    """An optimizer that steps in look after look, for parameters that no backward pass reaches."""
    accounts = [look.account for look in case.looks if look.account is not None]
    for number in sorted({g.optimizer for a in accounts for g in a.groups}):
        own = [(a, a.of_optimizer(number)) for a in accounts]
        stepped = [rows for a, rows in own if rows and _steps(a, number)]
        names = [name for name in (stepped[0] if stepped else ()) if name in trained]
        if len(stepped) < STEPPED_LOOKS or not names:
            continue
        if any(p.passes or p.used for _, rows in own for p in rows.values()):
            continue
        beside, advice = beside_unreached(case) or (
            "",
            "look between these parameters and the loss for detach(), .data, numpy() and "
            "no_grad(); what trains a generator must see its output undetached",
        )
        return not_updated_finding(
            case,
            names,
            sum(math.prod(trained[name].shape) for name in names)
            / sum(math.prod(p.shape) for p in trained.values()),
            0.9,
            f"An optimizer stepped in each of {len(stepped)} looks, and no backward pass ever "
            f"reached its parameters ({listed(names)}): there is nothing it could follow. "
            f"{beside}".rstrip(),
            "an optimizer's steps without a gradient",
            advice,
            by_optimizer=False,
        )
    return None


def _steps(account: StepAccount, optimizer: int) -> bool:
    return any(g.steps for g in account.groups if g.optimizer == optimizer)


def _still(case: Case, name: str) -> bool:
    looks = [*case.looks, *([case.probe] if case.probe is not None else [])]
    if looks[-1].step - looks[0].step < FAR:
        return False
    changes = [look.changes[name] for look in looks if name in look.changes]
    updates = [total_norm(c.update) for c in changes if c.update is not None]
    gradients = [total_norm(c.gradient) for c in changes if c.gradient is not None]
    if not gradients or not median(gradients) * (case.lr or 1.0) > LEAST * max(
        total_norm(c.weight) for c in changes
    ):
        return False  # steps so short that they round to nothing are another fault
    lengths = [total_norm(c.weight) for c in changes]
    return (bool(updates) and max(updates) == 0) or (
        not updates and len(changes) >= 3 and max(lengths) == min(lengths)
    )
