"""Parameters that are frozen and should not be: a part of `parameters_not_updated`."""

from __future__ import annotations

import math

from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.drawn_weights import are_as_drawn, is_as_drawn
from sevensteps.doctor.finding import Finding
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.learning import judge
from sevensteps.doctor.measures import layer_label, learned_enough, path_of_steps
from sevensteps.doctor.not_updated_finding import listed, not_updated_finding
from sevensteps.doctor.questions.more_steps import more_steps
from sevensteps.doctor.simple_models import worse_than_simple_model

FEW = 0.05  # of all parameters, that are trained beside a frozen head
LEAST_NUMBERS = 100  # of a matrix, of fewer nothing can be told
BETTER_THAWED, MUCH_BETTER_THAWED = 0.1, 0.2  # of the validation score
LEAST_ZEROS = 0.02  # of all numbers
HARDLY = 0.1  # norms of the weights that are trained, that all steps come to


def frozen_head(case: Case, total: int) -> Finding | None:
    """The last weights do not learn, and hardly anything else does, in a network that is poor."""
    every = {name: math.prod(p.shape) for name, p in case.facts.parameters.items()}
    last = case.layers("weights")[-1:]
    frozen = [
        name
        for layer in last
        for name in layer.parameters
        if name in case.facts.parameters and len(case.facts.parameters[name].shape) > 1
    ]
    if not frozen or any(case.facts.parameters[name].trained for name in frozen):
        return None
    if total > FEW * sum(every.values()) or learned_enough(case, 0.8):
        return None
    if 0 < path_of_steps(case) < HARDLY:
        return None  # what is trained has not moved either: the steps are too short
    return not_updated_finding(
        case,
        frozen,
        sum(every[name] for name in frozen) / sum(every.values()),
        0.85,
        f"The last layer ({layer_label(last[0].name)}) is frozen, and so is nearly all before it: "
        f"{total:,} of {sum(every.values()):,} parameters are trained. A new head has to learn.",
        "requires_grad is False",
        "freeze the body before the new head is put in, or let the head go: for p in "
        f"model.{last[0].name}.parameters(): p.requires_grad_(True)",
    )


def frozen_as_drawn(case: Case) -> Finding | None:
    """Frozen layers whose weights are as they were drawn, where even a simple model does better:
    what was to be loaded was not, or they were to be trained.
    """
    weights = {} if case.network is None else dict(case.network.named_parameters())
    frozen = [
        name
        for layer in case.layers("weights")
        for name in layer.parameters
        if name in weights and not case.facts.parameters[name].trained and weights[name].ndim > 1
    ]
    if not frozen or case.before_training or learned_enough(case, 0.6):
        return None
    matrices: list[Tensor] = [weights[name] for name in frozen]
    if all(not bool(matrix.any()) for matrix in matrices):
        return not_updated_finding(
            case,
            frozen,
            sum(m.numel() for m in matrices) / sum(p.numel() for p in weights.values()),
            0.95,
            f"{listed(frozen)} are frozen, and all their numbers are 0: what is read through them "
            "is the same for all samples. What was to be loaded into them was not there.",
            "requires_grad is False, and every number is 0",
            "look at what was loaded, as how many words of the file of vectors are known; let them "
            "be trained where nothing was",
            by_optimizer=False,
        )
    if not are_as_drawn(matrices) or not worse_than_simple_model(case, 0.2):
        return _better_thawed(case, frozen, matrices)
    count = sum(weights[name].numel() for name in frozen)
    return not_updated_finding(
        case,
        frozen,
        count / sum(p.numel() for p in weights.values()),
        0.85,
        f"{listed(frozen)} are frozen, and their numbers are those of an initialization: nothing "
        "was loaded into them, or nothing ever trained them. What they make of the inputs is "
        "chance, and too little for the rest: a simple model that sees the inputs does better.",
        "requires_grad is False, and distributed as drawn",
        "let them be trained, or load them: load_state_dict(…, strict=False) loads in silence only "
        "what has the same name; print what it returns",
    )


def frozen_zeros(case: Case, total: int) -> Finding | None:
    """Frozen matrices of zeros: what is multiplied with them says nothing, and never will."""
    if case.before_training or known_to_learn(case, 0.85):
        return None
    zeros = {
        name: math.prod(p.shape)
        for name, p in case.facts.parameters.items()
        if not p.trained and p.length == 0 and len(p.shape) > 1 and math.prod(p.shape) > 1
    }
    share = sum(zeros.values()) / (total + sum(zeros.values()))
    if share < LEAST_ZEROS:
        return None
    return not_updated_finding(
        case,
        list(zeros),
        share,
        0.8,
        f"{listed(list(zeros))} are frozen, and all their numbers are 0: whatever is multiplied "
        "with them is gone, and no step will change that.",
        "requires_grad is False, and zeros",
        "let them be trained, or load them, or leave them out",
        by_optimizer=False,
    )


def _better_thawed(case: Case, frozen: list[str], matrices: list[Tensor]) -> Finding | None:
    """Frozen layers that show no trace of a training, or with which nothing was learned, where a
    copy that trains them, too, does far better after as many steps than one that does not.
    """
    drawn = all(m.numel() < LEAST_NUMBERS or is_as_drawn(m) for m in matrices)
    if not drawn and not judge(case).is_bad:
        return None
    thawed, still = more_steps(case, thawed=True), more_steps(case)
    if thawed is None or still is None:
        return None
    if thawed.after - still.after < (BETTER_THAWED if drawn else MUCH_BETTER_THAWED):
        return None
    finding = not_updated_finding(
        case,
        frozen,
        sum(m.numel() for m in matrices)
        / sum(math.prod(p.shape) for p in case.facts.parameters.values()),
        0.85,
        f"{listed(frozen)} are frozen"
        + (", and show no trace of a training" if drawn else ", and nothing was learned with them")
        + f". A copy that trains them, too, scores {thawed.after:.2g} on the validation data after "
        f"{thawed.steps} more steps; one that leaves them frozen {still.after:.2g}.",
        "requires_grad is False, and distributed as drawn"
        if drawn
        else "requires_grad is False; a copy was trained on with them",
        "let them be trained, or load them: load_state_dict(…, strict=False) loads in silence only "
        "what has the same name; print what it returns"
        if drawn
        else "let them be trained: requires_grad_(True), or from_pretrained(table, freeze=False)",
    )
    finding.remedies[0].change.clear()  # it is not an optimizer that is lacking
    return finding
