"""Optimizers that step too far, too little or not for long."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn, optim

from benchmarks.doctor.cases.step_faults import tables
from benchmarks.doctor.cases.step_faults.plan import (
    Plan,
    above,
    adam,
    conv,
    explained,
    logits,
    planned,
    sgd,
)
from benchmarks.doctor.networks import dense


def rms(lr: float) -> Callable[[nn.Module], optim.Optimizer]:
    return lambda network: optim.RMSprop(network.parameters(), lr)


def high_digits(cured: bool) -> Plan:
    return Plan(tables.digits(), dense(64, 96, 10), F.cross_entropy, sgd(0.1 if cured else 6.0), 12)


def high_adam(cured: bool) -> Plan:
    lr = 3e-3 if cured else 1.0
    return Plan(tables.clouds(), dense(6, 48, 48, 5), nn.CrossEntropyLoss(), adam(lr), 15)


def high_numbers(cured: bool) -> Plan:
    model = dense(10, 40, 40, 1)
    lr = 0.02 if cured else 0.6
    return Plan(tables.friedman(), model, F.mse_loss, sgd(lr, momentum=0.5), 20, score=explained)


def high_conv(cured: bool) -> Plan:
    lr = 0.2 if cured else 8.0
    return Plan(tables.pictures(), conv(8, 16), F.cross_entropy, sgd(lr), 10, loader=True)


def high_rms(cured: bool) -> Plan:
    lr = 2e-3 if cured else 0.5
    model = dense(64, 32, 32, 10, activation=nn.Tanh)
    return Plan(tables.digits(), model, F.cross_entropy, rms(lr), 10)


def high_sigmoid(cured: bool) -> Plan:
    lr = 0.01 if cured else 1.5
    model = dense(64, 32, 1, activation=nn.Sigmoid)
    return Plan(tables.ones(), model, logits, adam(lr), 20, score=above(0))


def high_linear(cured: bool) -> Plan:
    lr = 0.05 if cured else 1.2
    return Plan(tables.diabetes(), nn.Linear(10, 1), F.mse_loss, sgd(lr), 20, score=explained)


def low_digits(cured: bool) -> Plan:
    lr = 0.1 if cured else 1e-4
    return Plan(tables.digits(), dense(64, 96, 10), F.cross_entropy, sgd(lr), 12)


def low_adam(cured: bool) -> Plan:
    lr = 3e-3 if cured else 2e-6
    model = dense(13, 40, 3, activation=nn.SiLU)
    return Plan(tables.wine(), model, F.cross_entropy, adam(lr), 25, 16, loader=True)


def low_rms(cured: bool) -> Plan:
    """y = 7x + 3, one weight and one bias."""
    x = torch.rand(120, 1) + 1
    data = (x[:90], 7 * x[:90] + 3), (x[90:], 7 * x[90:] + 3)
    lr = 0.05 if cured else 5e-4
    return Plan(data, nn.Linear(1, 1), nn.MSELoss(), rms(lr), 150, score=explained)


def low_conv(cured: bool) -> Plan:
    lr = 0.2 if cured else 1e-3
    return Plan(tables.pictures(), conv(8, 16), F.cross_entropy, sgd(lr), 8)


def low_adagrad(cured: bool) -> Plan:
    lr = 0.05 if cured else 1e-4
    return Plan(
        tables.friedman(),
        dense(10, 40, 1),
        nn.SmoothL1Loss(),
        lambda m: optim.Adagrad(m.parameters(), lr),
        25,
        score=explained,
    )


def decay_sgd(cured: bool) -> Plan:
    decay = 1e-4 if cured else 0.4
    model = dense(64, 64, 10)
    return Plan(tables.digits(), model, F.cross_entropy, sgd(0.1, weight_decay=decay), 12)


def decay_adamw(cured: bool) -> Plan:
    decay = 0.01 if cured else 40.0
    return Plan(
        tables.friedman(),
        dense(10, 40, 1),
        F.mse_loss,
        lambda m: optim.AdamW(m.parameters(), 5e-3, weight_decay=decay),
        25,
        score=explained,
    )


def decay_adam(cured: bool) -> Plan:
    decay = 0.0 if cured else 1.0
    return Plan(tables.clouds(), dense(6, 40, 5), F.cross_entropy, adam(3e-3, weight_decay=decay))


def long_momentum(cured: bool) -> Plan:
    momentum = 0.9 if cured else 0.9995
    model = dense(10, 48, 1, activation=nn.Tanh)
    return Plan(
        tables.friedman(), model, F.mse_loss, sgd(0.02, momentum=momentum), 15, score=explained
    )


def large_eps(cured: bool) -> Plan:
    eps = 1e-8 if cured else 3.0
    return Plan(tables.digits(), dense(64, 64, 10), F.cross_entropy, adam(2e-3, eps=eps), 10)


def schedule_each_batch(cured: bool) -> Plan:
    return Plan(
        tables.digits(),
        dense(64, 64, 10),
        F.cross_entropy,
        sgd(0.1),
        12,
        schedule=lambda o: optim.lr_scheduler.ExponentialLR(o, 0.8),
        each_batch=not cured,
    )


def steep_schedule(cured: bool) -> Plan:
    gamma = 0.97 if cured else 0.02
    return Plan(
        tables.friedman(),
        dense(10, 40, 1),
        F.mse_loss,
        adam(5e-3),
        25,
        score=explained,
        schedule=lambda o: optim.lr_scheduler.StepLR(o, 1, gamma),
    )


def powers(cured: bool) -> Plan:
    """A polynomial of x in 0 … 3: its powers go to 81 and are nearly alike."""
    x = torch.linspace(0, 3, 200)[torch.randperm(200)]
    inputs = torch.stack([x**k for k in range(1, 5)], 1)
    if cured:
        q, _ = torch.linalg.qr(inputs - inputs.mean(0))
        inputs = q * 200**0.5
    y = torch.sin(2 * x)[:, None]
    data = (inputs[:150], y[:150]), (inputs[150:], y[150:])
    lr = 0.05 if cured else 3e-4
    return Plan(data, nn.Linear(4, 1), F.mse_loss, sgd(lr), 60, 150, explained)


HIGH = ("learning_rate_too_high", "dead_units", "not_finite", "exploding_gradient")
LOW = ("learning_rate_too_low",)
DECAY = ("weight_decay_too_strong",)
PAIRS = [
    planned("digits: SGD 6", "digits: SGD .1", HIGH, high_digits, 0.6, 0.85),
    planned("clouds: Adam 1", "clouds: Adam .003", HIGH, high_adam, 0.6, 0.7),
    planned("friedman: SGD .6", "friedman: SGD .02", HIGH, high_numbers, 0.5, 0.7),
    planned("pictures: SGD 8", "pictures: SGD .2", HIGH, high_conv, 0.5, 0.8),
    planned(
        "digits: RMSprop .5",
        "digits: RMSprop .002",
        (*HIGH, "saturated_units"),
        high_rms,
        0.8,
        0.85,
    ),
    planned(
        "odd digits: Adam 1.5",
        "odd digits: Adam .01",
        (*HIGH, "saturated_units"),
        high_sigmoid,
        0.8,
        0.87,
    ),
    planned("diabetes: SGD 1.2", "diabetes: SGD .05", HIGH, high_linear, 0.1, 0.25),
    planned("digits: SGD .0001", "digits: SGD .1, 96 wide", LOW, low_digits, 0.5, 0.85),
    planned("wine: Adam 2e-6", "wine: Adam .003", LOW, low_adam, 0.8, 0.85),
    planned("line: RMSprop 5e-4", "line: RMSprop .05", LOW, low_rms, 0.5, 0.9),
    planned(
        "pictures: SGD .001", "pictures: SGD .2, not watched each epoch", LOW, low_conv, 0.5, 0.75
    ),
    planned("friedman: Adagrad 1e-4", "friedman: Adagrad .05", LOW, low_adagrad, 0.4, 0.7),
    planned("digits: decay .4", "digits: decay 1e-4", DECAY, decay_sgd, 0.6, 0.85),
    planned("friedman: AdamW, decay 40", "friedman: AdamW", DECAY, decay_adamw, 0.6, 0.7),
    planned("clouds: Adam, decay 1", "clouds: Adam", DECAY, decay_adam, 0.6, 0.7),
    planned(
        "friedman: momentum .9995",
        "friedman: momentum .9",
        ("optimizer_setting", "learning_rate_too_high"),
        long_momentum,
        0.5,
        0.7,
    ),
    planned("digits: eps 3", "digits: eps 1e-8", ("optimizer_setting",), large_eps, 0.6, 0.8),
    planned(
        "digits: schedule each batch",
        "digits: schedule each epoch",
        ("schedule_collapsed",),
        schedule_each_batch,
        0.7,
        0.8,
    ),
    planned(
        "friedman: a fiftieth each epoch",
        "friedman: 3 % less each epoch",
        ("schedule_collapsed",),
        steep_schedule,
        0.65,
        0.7,
    ),
    planned(
        "powers of x",
        "powers of x, orthogonal",
        ("ill_conditioned", "inputs_unscaled", "learning_rate_too_low"),
        powers,
        0.5,
        0.6,
    ),
]
