"""Models made lighter: rounded in training, pruned, taught by hints, of low rank."""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

import sevensteps as ss
from benchmarks.doctor import data
from benchmarks.doctor.cases.field.trained import Trained, accuracy, batches, descend, healthy
from benchmarks.doctor.networks import dense


def of_digits(watch: object, model: nn.Module) -> Trained:
    (x, y), (xv, yv) = data.digits()
    known = {"train": (x, y), "valid": (xv, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, xv, yv), known)


class FakeQuantize(nn.Module):
    """To eight levels and back; the gradient passes as if nothing had been rounded."""

    def forward(self, w: Tensor) -> Tensor:
        step = w.detach().abs().amax() / 4
        return w + ((w / step).round().clamp(-4, 4) * step - w).detach()


def rounded_in_training() -> Trained:
    (x, y), _ = data.digits()
    model = dense(64, 64, 10)
    for layer in (model[0], model[2]):
        parametrize.register_parametrization(layer, "weight", FakeQuantize())
    opt = torch.optim.Adam(model.parameters(), 3e-3)
    with ss.watch(model, opt) as watch:
        for rows in batches(len(x), 64, 8):
            descend(watch, opt, F.cross_entropy(model(x[rows]), y[rows]), y[rows])
    return of_digits(watch, model)


def pruned_in_rounds() -> Trained:
    """Three times half of the weights that are left is taken away, and the rest trained on."""
    (x, y), _ = data.digits()
    model = dense(64, 100, 10)
    opt = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    with ss.watch(model, opt) as watch:
        for turn in range(4):
            if turn:
                prune.l1_unstructured(model[0], "weight", amount=0.5)
                opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
            for rows in batches(len(x), 64, 4):
                loss = F.cross_entropy(model(x[rows]), y[rows])
                opt.zero_grad()
                loss.backward()
                opt.step()
                watch.step(loss, target=y[rows])
    return of_digits(watch, model)


def hints_of_a_teacher() -> Trained:
    """The student's hidden layer is drawn to the teacher's, beside its answers and the labels."""
    (x, y), _ = data.digits()
    teacher = dense(64, 128, 10)
    opt = torch.optim.Adam(teacher.parameters(), 3e-3)
    for rows in batches(len(x), 64, 6):
        opt.zero_grad()
        F.cross_entropy(teacher(x[rows]), y[rows]).backward()
        opt.step()
    teacher.requires_grad_(False).eval()

    class Student(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.fc2, self.regress = (
                nn.Linear(64, 24),
                nn.Linear(24, 10),
                nn.Linear(24, 128),
            )

        def forward(self, x: Tensor) -> Tensor:
            return self.fc2(F.relu(self.fc1(x)))

        def hint(self, x: Tensor) -> Tensor:
            return self.regress(F.relu(self.fc1(x)))

    student, t = Student(), 3.0
    optimizer = torch.optim.AdamW(student.parameters(), 5e-3)
    with ss.watch(student, optimizer) as watch:
        for rows in batches(len(x), 64, 8):
            out = student(x[rows])
            soft = F.kl_div(
                F.log_softmax(out / t, 1), F.softmax(teacher(x[rows]) / t, 1), reduction="batchmean"
            )
            hint = F.mse_loss(student.hint(x[rows]), teacher[:2](x[rows]))
            loss = 0.5 * F.cross_entropy(out, y[rows]) + 0.5 * t * t * soft + 0.3 * hint
            descend(watch, optimizer, loss, y[rows])
    return of_digits(watch, student)


class LoRALinear(nn.Module):
    def __init__(self, base: nn.Linear, r: int = 4, alpha: int = 8):
        super().__init__()
        self.base = base
        for p in base.parameters():
            p.requires_grad = False
        self.lora_A = nn.Parameter(torch.empty(r, base.in_features))
        self.lora_B = nn.Parameter(torch.zeros(base.out_features, r))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scaling = alpha / r

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + (x @ self.lora_A.T @ self.lora_B.T) * self.scaling


def low_rank_on_a_base() -> Trained:
    """A base that knows upright digits learns those that lie on their side, by adapters alone."""
    (x, y), (xv, yv) = data.digits()
    base = dense(64, 96, 96, 10)
    opt = torch.optim.Adam(base.parameters(), 3e-3)
    for rows in batches(len(x), 64, 6):
        opt.zero_grad()
        F.cross_entropy(base(x[rows]), y[rows]).backward()
        opt.step()

    def lying(x: Tensor) -> Tensor:
        return x.view(-1, 8, 8).transpose(1, 2).flatten(1)

    model = copy.deepcopy(base)
    for i, module in enumerate(model):
        if isinstance(module, nn.Linear):
            model[i] = LoRALinear(module, r=8, alpha=16)
    trainable = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(trainable, lr=8e-3)
    a, av = lying(x), lying(xv)
    with ss.watch(model, opt) as watch:
        for rows in batches(len(x), 64, 10):
            descend(watch, opt, F.cross_entropy(model(a[rows]), y[rows]), y[rows])
    known = {"train": (a, y), "valid": (av, yv), "loss_fn": F.cross_entropy}
    return Trained(watch, accuracy(model, av, yv), known)


CASES = [
    healthy("weights of eight levels", rounded_in_training),
    healthy("pruned in rounds", pruned_in_rounds),
    healthy("a teacher's hidden layer as a hint", hints_of_a_teacher),
    healthy("adapters for digits that lie", low_rank_on_a_base),
]
