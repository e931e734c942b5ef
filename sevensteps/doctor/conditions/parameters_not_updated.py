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

from torch import Tensor

from sevensteps.doctor.case import Case
from sevensteps.doctor.drawn_weights import are_as_drawn, is_as_drawn
from sevensteps.doctor.finding import Finding, Measure, Remedy, Severity
from sevensteps.doctor.gradient_use import known_to_learn
from sevensteps.doctor.learning import judge
from sevensteps.doctor.measures import (
    layer_label,
    learned_enough,
    median,
    path_of_steps,
    significant,
    step_with_rate,
    total_norm,
    weight_layers,
)
from sevensteps.doctor.questions.more_steps import more_steps
from sevensteps.doctor.questions.weights_outside import (
    parameters_of_one_forward,
    tensors_as_drawn,
)
from sevensteps.doctor.simple_models import worse_than_simple_model
from sevensteps.doctor.without_gradient import (
    products_of_zeros,
    unread_answers,
    unread_columns,
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
FEW = 0.05  # of all parameters, that are trained beside a frozen head
LEAST = 1e-7  # of the weights: a step that is less changes no number of 32 bits
MOST_PLAIN = 0.2  # of all weights, that are tensors and no parameters
STEPPED_LOOKS = 6  # with a step of an optimizer that no gradient ever reached
LEAST_NUMBERS = 100  # of a matrix, of fewer nothing can be told
BETTER_THAWED, MUCH_BETTER_THAWED = 0.1, 0.2  # of the validation score
ELSEWHERE = 0.7  # of the way to a perfect validation score
LEAST_ZEROS = 0.02  # of all numbers
HARDLY = 0.1  # norms of the weights that are trained, that all steps come to
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
    if (finding := _unregistered(case, total, accounts)) is not None:
        return finding
    if (finding := _left_out(case, total)) is not None:
        return finding
    orphans = [name for name in trained if _is_orphan(case, name, accounts)]
    if orphans:
        stranger = len(orphans) == len(trained) and case.facts.strangers
        return _finding(
            case,
            orphans,
            share(orphans),
            0.97,
            "The optimizer holds the parameters of another network, not of the one that is "
            "trained: gradients are computed, "
            "and nothing moves."
            if stranger
            else f"No optimizer holds {_list(orphans)}: {share(orphans):.0%} of the parameters "
            "get gradients and are never moved.",
            "no optimizer group",
            "build the optimizer from model.parameters() after the model is complete; freeze on "
            "purpose "
            "with requires_grad_(False)",
        )
    if (finding := _frozen_head(case, total)) is not None:
        return finding
    if (finding := _frozen_as_drawn(case) or _frozen_zeros(case, total)) is not None:
        return finding
    for seek in (_made_anew, _plain_tensors, _never_reached):
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
            return _finding(
                case,
                lost,
                share(lost),
                0.85 if share(lost) > 0.2 else 0.6,
                f"The loss does not depend on {_list(lost)}: no gradient reaches "
                f"{share(lost):.0%} of the parameters.",
                "not in the loss's graph",
                "look for detach(), .data, no_grad() or a layer that forward() does not call",
                by_optimizer=False,
            )
    if columns := unread_columns(case):
        matrix = weight_layers(case)[-1][1]
        rows = len(columns) / trained[matrix].shape[0]
        which = "column " + ", ".join(map(str, columns)) + " of the answer"
        return _unread(case, [matrix], rows * share([matrix]), which)
    still = [name for name in trained if _still(case, name)]
    if still and share(still) > 0.2:
        return _finding(
            case,
            still,
            share(still),
            0.9,
            f"{_list(still)} get a gradient, and yet none of the observed steps changed "
            f"them: {share(still):.0%} of the parameters stand still.",
            "no change in any look",
            "call optimizer.step(), and check the learning rate of every group",
        )
    return None


def _unread(case: Case, names: list[str], share: float, which: str) -> Finding:
    """Answers that the network gives and no loss reads: the others say nothing of them."""
    finding = _finding(
        case,
        names,
        share,
        0.85,
        f"No gradient ever comes back to {which}: no loss that is trained for reads it, and what "
        f"only it needs ({_list(names)}) is as it was drawn. How well the rest learns says nothing "
        "of that.",
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
    return _finding(
        case,
        names,
        share(names),
        0.9,
        f"{_list(names)} began as zeros, and their gradient was exactly 0 in every look: they are "
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
    return _finding(
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


def _left_out(case: Case, total: int) -> Finding | None:
    """A network without an optimizer beside two optimizers that have the same parameters."""
    left = case.observation.notes.get("left_out")
    if left is None:
        return None
    name, kind, count = left
    network = case.facts.network
    return _finding(
        case,
        [],
        count / (count + total),
        0.98,
        f"Two optimizers hold the same parameters, those of {network}, and none holds those of "
        f"{name}{f' ({kind})' if kind != name else ''}: its {count:,} parameters get gradients and "
        f"are never moved, and each step of either optimizer moves {network}, also by what was to "
        f"train {name}.",
        "a gradient, and no optimizer",
        f"build one of the two from {name}.parameters()",
        by_optimizer=False,
    )


def _unregistered(case: Case, total: int, accounts: list[StepAccount]) -> Finding | None:
    """Layers that the network has and has not registered, and that never change."""
    seen = [a.strangers for a in accounts if a.strangers is not None]
    if len(seen) < 2:
        return None
    first, last = ({s.place: s for s in strangers} for strangers in (seen[0], seen[-1]))
    still = [
        s
        for place, s in last.items()
        if place in first and s.shape == first[place].shape and s.length == first[place].length
    ]
    count = sum(math.prod(s.shape) for s in still)
    share = count / (count + total)
    if share < 0.02:
        return None
    names = [s.place for s in still]
    return _finding(
        case,
        names,
        share,
        0.97,
        f"{count:,} parameters that the loss depends on belong to no module of "
        f"{case.facts.network}: {_list(names)}. model.parameters() does not have them, so that no "
        "optimizer moves them: they stay as they were drawn.",
        "a gradient, but no module and no optimizer",
        "layers in a plain list or dictionary are not registered: use nn.ModuleList, "
        "nn.ModuleDict or nn.Parameter",
    )


def _is_orphan(case: Case, name: str, accounts: list[StepAccount]) -> bool:
    """Whether a parameter gets gradients, no optimizer has it, and nothing moves it."""
    if not case.facts.groups:
        return False
    if not accounts:
        return case.facts.parameters[name].group is None
    rows = [a.parameters[name] for a in accounts if name in a.parameters]
    if not rows or any(p.group is not None for p in rows) or not any(p.passes for p in rows):
        return False
    changes = [look.changes[name] for look in case.looks if name in look.changes]
    lengths = [total_norm(c.weight) for c in changes]
    return not any(p.update for p in rows) and (not lengths or _same(lengths))


def _frozen_head(case: Case, total: int) -> Finding | None:
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
    return _finding(
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


def _frozen_as_drawn(case: Case) -> Finding | None:
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
        return _finding(
            case,
            frozen,
            sum(m.numel() for m in matrices) / sum(p.numel() for p in weights.values()),
            0.95,
            f"{_list(frozen)} are frozen, and all their numbers are 0: what is read through them "
            "is the same for all samples. What was to be loaded into them was not there.",
            "requires_grad is False, and every number is 0",
            "look at what was loaded, as how many words of the file of vectors are known; let them "
            "be trained where nothing was",
            by_optimizer=False,
        )
    if not are_as_drawn(matrices) or not worse_than_simple_model(case, 0.2):
        return _better_thawed(case, frozen, matrices)
    count = sum(weights[name].numel() for name in frozen)
    return _finding(
        case,
        frozen,
        count / sum(p.numel() for p in weights.values()),
        0.85,
        f"{_list(frozen)} are frozen, and their numbers are those of an initialization: nothing "
        "was loaded into them, or nothing ever trained them. What they make of the inputs is "
        "chance, and too little for the rest: a simple model that sees the inputs does better.",
        "requires_grad is False, and distributed as drawn",
        "let them be trained, or load them: load_state_dict(…, strict=False) loads in silence only "
        "what has the same name; print what it returns",
    )


def _frozen_zeros(case: Case, total: int) -> Finding | None:
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
    return _finding(
        case,
        list(zeros),
        share,
        0.8,
        f"{_list(list(zeros))} are frozen, and all their numbers are 0: whatever is multiplied "
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
    finding = _finding(
        case,
        frozen,
        sum(m.numel() for m in matrices)
        / sum(math.prod(p.shape) for p in case.facts.parameters.values()),
        0.85,
        f"{_list(frozen)} are frozen"
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


def _made_anew(case: Case, trained: dict[str, ParameterFacts]) -> Finding | None:
    """Parameters that each forward pass makes, uses once and forgets."""
    if case.before_training or not (made := parameters_of_one_forward(case)):
        return None
    count = sum(math.prod(shape) for shape in made)
    share = count / (count + sum(math.prod(p.shape) for p in trained.values()))
    shapes = ", ".join(str(list(shape)) for shape in made[:3])
    return _finding(
        case,
        [],
        share,
        0.95,
        f"Each call of {case.facts.network} makes parameters of its own, of shape {shapes}: two "
        "calls on the same samples use different ones, drawn anew. No optimizer ever has them, and "
        "whatever stands before them learns for weights that are gone in the next step.",
        "parameters of one answer that the next does not know",
        "make the layer once, in __init__, and only call it in forward(); nn.LazyLinear where its "
        "size is not known yet",
        by_optimizer=False,
    )


def _plain_tensors(case: Case, trained: dict[str, ParameterFacts]) -> Finding | None:
    """Tensors as drawn that the network has for weights, where even a simple model does better."""
    if case.before_training or learned_enough(case, 0.6):
        return None
    tensors = tensors_as_drawn(case)
    count = sum(t.numel() for t in tensors.values())
    share = count / (count + sum(math.prod(p.shape) for p in trained.values()))
    if share < MOST_PLAIN or not worse_than_simple_model(case, 0.2):
        return None
    return _finding(
        case,
        list(tensors),
        share,
        0.85,
        f"{_list(list(tensors))} are tensors, no parameters: model.parameters() does not have "
        "them, and their numbers are as they were drawn. The network cannot learn with the rest "
        "what even a simple model finds.",
        "neither parameter nor buffer, and distributed as drawn",
        "nn.Parameter(0.1 * torch.randn(…)): what is computed from a parameter, as "
        "nn.Parameter(…) * 0.1 or .to(device), is none",
        by_optimizer=False,
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
        return _finding(
            case,
            names,
            sum(math.prod(trained[name].shape) for name in names)
            / sum(math.prod(p.shape) for p in trained.values()),
            0.9,
            f"An optimizer stepped in each of {len(stepped)} looks, and no backward pass ever "
            f"reached its parameters ({_list(names)}): there is nothing it could follow.",
            "an optimizer's steps without a gradient",
            "look between these parameters and the loss for detach(), .data, numpy() and "
            "no_grad(); what trains a generator must see its output undetached",
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
    return (bool(updates) and max(updates) == 0) or (
        not updates and len(changes) >= 3 and _same([total_norm(c.weight) for c in changes])
    )


def _same(lengths: list[float]) -> bool:
    return max(lengths) == min(lengths)


def _list(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _finding(
    case: Case,
    names: list[str],
    share: float,
    confidence: float,
    explanation: str,
    observed: str,
    advice: str,
    *,
    by_optimizer: bool = True,
) -> Finding:
    """`by_optimizer`: whether an optimizer of all parameters would move them."""
    return Finding(
        "parameters_not_updated",
        STEP,
        _severity(case, share),
        confidence,
        explanation,
        [Measure("share of the parameters", significant(share), 0, observed)],
        [
            Remedy(
                {"step": step_with_rate(case, case.lr)} if case.lr and by_optimizer else {},
                "every parameter that is to learn needs a gradient and an optimizer",
                advice,
            )
        ],
        {"parameters": names[:32]},
        0,
    )


def _holds_elsewhere(case: Case) -> bool:
    """Whether the validation score, where there is one, is most of the way to a perfect one, too:
    what is learned by heart needs few parameters.
    """
    valid, least = case.scores.get("valid"), case.baseline_score
    if valid is None or least is None or least >= 1:
        return True
    return valid - least >= ELSEWHERE * (1 - least)


def _severity(case: Case, share: float) -> Severity:
    # a body that is drawn at random, or trained before, may well do
    if share < 1 and known_to_learn(case, 0.85) and _holds_elsewhere(case):
        return "info"
    return "error" if share > 0.2 else "warning"
