"""Who takes part: each trains the same network on the same arrays, as its users would write it for data in memory.

Every function takes the case and returns `(seconds of each epoch, accuracy on the test set)`. The first epoch is a warm-up and is
not counted by the table; loading data, building the network and judging it are outside the clock for everyone. All shuffle each
epoch and record the mean training loss of each. Imports are inside the functions: a process loads its own contestant only.
"""

from __future__ import annotations

import itertools
import os
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

LR = 0.1


def network(case: dict[str, Any]) -> nn.Module:
    """The network of the case, in plain PyTorch."""
    if case["hidden"] == "cnn":
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, 8), (8, 16), (16, 32)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(288, 10))
    widths = [784, *case["hidden"], 10]
    layers = [layer for a, b in itertools.pairwise(widths) for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


def right(outputs: Tensor, y: Tensor) -> float:
    return float((outputs.argmax(1) == y).double().mean())


def accuracy(model: nn.Module, data: dict[str, Tensor]) -> float:
    model.eval()
    with torch.no_grad():
        return right(model(data["xv"]), data["yv"])


class Clock:
    """Seconds between one `tick` and the next."""

    def __init__(self) -> None:
        self.times = [time.perf_counter()]

    def tick(self, *_: Any) -> None:
        self.times.append(time.perf_counter())

    @property
    def epochs(self) -> list[float]:
        return [b - a for a, b in itertools.pairwise(self.times)]


def sevensteps(case: dict[str, Any], data: dict[str, Tensor], **steps: Any) -> tuple[list[float], float]:
    import sevensteps as ss

    held = ss.data.from_arrays(data["x"], data["y"], valid=(data["xv"], data["yv"]))
    predict = ss.cnn(8, 16, 32) if case["hidden"] == "cnn" else ss.mlp(*case["hidden"])
    run = ss.train(held, **{"predict": predict, "step": ss.sgd(lr=LR), "repeat": ss.batches(case["batch"]),
                            "initialize": ss.pytorch_default(), "stop": ss.epochs(case["epochs"]), "out": False, **steps})
    return [b - a for a, b in itertools.pairwise([0.0, *(row["seconds"] for row in run.history)])], run.metrics["valid"]["accuracy"]


def sevensteps_autograd(case: dict[str, Any], data: dict[str, Tensor]) -> tuple[list[float], float]:
    import sevensteps as ss

    return sevensteps(case, data, predict=network(case), initialize=ss.as_given(), gradient=ss.autograd())


def pytorch_loop(case: dict[str, Any], data: dict[str, Tensor]) -> tuple[list[float], float]:
    model, x, y, clock, losses = network(case), data["x"], data["y"], Clock(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    for _ in range(case["epochs"]):
        total = 0.0
        for index in torch.randperm(len(x)).split(case["batch"]):
            loss = F.cross_entropy(model(x[index]), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
        losses.append(total / len(x))
        clock.tick()
    return clock.epochs, accuracy(model, data)


def jax_scan(case: dict[str, Any], data: dict[str, Tensor]) -> tuple[list[float], float]:
    import jax
    import jax.numpy as jnp

    x, y = jnp.asarray(data["x"].flatten(1).numpy()), jnp.asarray(data["y"].numpy())
    widths, batch = [784, *case["hidden"], 10], case["batch"]
    keys = jax.random.split(jax.random.PRNGKey(0), len(widths))
    shapes = itertools.pairwise(widths)
    parameters = [(jax.random.normal(key, (a, b)) * (2 / a) ** 0.5, jnp.zeros(b)) for key, (a, b) in zip(keys, shapes, strict=False)]

    def forward(parameters: Any, x: Any) -> Any:
        for weight, bias in parameters[:-1]:
            x = jax.nn.relu(x @ weight + bias)
        return x @ parameters[-1][0] + parameters[-1][1]

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        return -jnp.take_along_axis(jax.nn.log_softmax(forward(parameters, x)), y[:, None], 1).mean()

    @jax.jit
    def epoch(parameters: Any, key: Any) -> Any:
        order = jax.random.permutation(key, len(x))[: len(x) // batch * batch].reshape(-1, batch)  # the last part of a batch is left out

        def step(parameters: Any, index: Any) -> Any:
            value, gradient = jax.value_and_grad(loss)(parameters, x[index], y[index])
            return jax.tree.map(lambda p, g: p - LR * g, parameters, gradient), value

        parameters, losses = jax.lax.scan(step, parameters, order)
        return parameters, losses.mean()

    clock = Clock()
    for number in range(case["epochs"]):
        parameters, value = epoch(parameters, jax.random.PRNGKey(number))
        value.block_until_ready()
        clock.tick()
    outputs = torch.from_numpy(np.array(forward(parameters, jnp.asarray(data["xv"].flatten(1).numpy()))))
    return clock.epochs, right(outputs, data["yv"])


def scikit_learn(case: dict[str, Any], data: dict[str, Tensor]) -> tuple[list[float], float]:
    from sklearn.neural_network import MLPClassifier

    x, y = data["x"].flatten(1).numpy(), data["y"].numpy()
    model = MLPClassifier(case["hidden"], solver="sgd", learning_rate_init=LR, momentum=0.0, alpha=0.0, batch_size=case["batch"],
                          random_state=0)
    clock = Clock()
    for _ in range(case["epochs"]):
        model.partial_fit(x, y, classes=np.arange(10))  # one epoch, shuffled
        clock.tick()
    return clock.epochs, float(model.score(data["xv"].flatten(1).numpy(), data["yv"].numpy()))


def skorch(case: dict[str, Any], data: dict[str, Tensor]) -> tuple[list[float], float]:
    from skorch import NeuralNetClassifier

    model = NeuralNetClassifier(network(case), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.SGD, lr=LR, batch_size=case["batch"],
                                max_epochs=case["epochs"], iterator_train__shuffle=True, train_split=None, verbose=0)
    model.fit(data["x"], data["y"])
    return [row["dur"] for row in model.history], float((model.predict(data["xv"]) == data["yv"].numpy()).mean())


def lightning(case: dict[str, Any], data: dict[str, Tensor]) -> tuple[list[float], float]:
    import logging
    import warnings

    import lightning as L
    from torch.utils.data import DataLoader, TensorDataset

    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    clock = Clock()

    class Classifier(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network(case)

        def training_step(self, batch: Any, index: int) -> Any:
            loss = F.cross_entropy(self.network(batch[0]), batch[1])
            self.log("loss", loss, on_step=False, on_epoch=True)
            return loss

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=LR)

        def on_train_epoch_end(self) -> None:
            clock.tick()

    model = Classifier()
    trainer = L.Trainer(max_epochs=case["epochs"], accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
                        enable_model_summary=False)
    trainer.fit(model, DataLoader(TensorDataset(data["x"], data["y"]), batch_size=case["batch"], shuffle=True))
    return clock.epochs, accuracy(model.network, data)


def fastai(case: dict[str, Any], data: dict[str, Tensor]) -> tuple[list[float], float]:
    import fastai.callback.progress  # noqa: F401 - gives Learner its no_bar
    from fastai.basics import Callback, DataLoader, DataLoaders, Learner
    from fastai.optimizer import SGD

    clock = Clock()

    class Times(Callback):
        def after_epoch(self) -> None:
            clock.tick()

    pairs = list(zip(data["x"], data["y"], strict=True))
    loader = DataLoader(pairs, bs=case["batch"], shuffle=True, num_workers=0)
    loaders = DataLoaders(loader, DataLoader(pairs[:1], bs=1, num_workers=0))
    learner = Learner(loaders, network(case), loss_func=F.cross_entropy, opt_func=SGD, lr=LR, cbs=[Times()])
    with learner.no_bar(), learner.no_logging():
        learner.fit(case["epochs"])
    return clock.epochs, accuracy(learner.model, data)


def keras(case: dict[str, Any], data: dict[str, Tensor]) -> tuple[list[float], float]:
    os.environ["KERAS_BACKEND"] = "torch"
    import keras as library

    clock = Clock()
    model = library.Sequential([library.layers.Flatten(), *(library.layers.Dense(width, activation="relu") for width in case["hidden"]),
                                library.layers.Dense(10)])
    model.compile(library.optimizers.SGD(LR), library.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, y = data["x"].numpy(), data["y"].numpy()
    model.fit(x, y, batch_size=case["batch"], epochs=case["epochs"], verbose=0, shuffle=True,
              callbacks=[library.callbacks.LambdaCallback(on_epoch_end=clock.tick)])
    outputs = model.predict(data["xv"].numpy(), verbose=0, batch_size=4096)
    return clock.epochs, right(torch.as_tensor(np.asarray(outputs)), data["yv"])
