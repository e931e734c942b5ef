"""Keras 3 on PyTorch: a callback that says at the end what was wrong with the training.

model.fit(…, callbacks=[sevensteps.integrations.keras.Watch()])

Keras has optimizers of its own, and hands its callbacks no batch, and of the loss only a running
mean. While a batch is trained on, its `compute_loss` and its optimizer's `apply` are therefore
listened to; between batches nothing is left on the model. Its layers are modules of PyTorch, and
are called as such, but a model does not register them all: `layers_of` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.engine.activations import ACTIVATIONS
from sevensteps.integrations import library_of
from sevensteps.integrations.watched_training import LOGGER, WatchedTraining, foreign_optimizer
from sevensteps.observe.network_facts import OTHER_LAYERS, LayerFacts, layer_facts, watched_modules

keras: Any = library_of("keras")

# hand on what they get, or have nothing to look at
PASS_THROUGH = ("InputLayer", "Dropout", "Flatten", "Reshape", "Identity")
# what Keras calls the activations that have another name here
ACTIVATION_NAMES = {
    "linear": "identity",
    "hard_sigmoid": "hardsigmoid",
    "log_sigmoid": "logsigmoid",
    "leakyrelu": "leaky_relu",
}


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Watches `Model.fit`: `model.fit(…, callbacks=[Watch()])`.

    `budget` is the share of the time that watching may cost; with `show`, the diagnosis is printed
    at the end. Then it is in `diagnosis`, and what was observed in `watch`.
    """

    def __init__(self, *, budget: float = 0.02, show: bool = True) -> None:
        super().__init__()
        self.watched = WatchedTraining(budget, show)
        self._loss: Tensor | None = None
        self._target: Any = None
        self._is_watching = False

    @property
    def watch(self) -> Any:
        return self.watched.watch

    @property
    def diagnosis(self) -> Diagnosis | None:
        return self.watched.diagnosis

    def on_train_begin(self, logs: Any = None) -> None:
        self._is_watching = keras.backend.backend() == "torch" and not self.model.jit_compile
        if self._is_watching:
            with self.watched.unharmed():
                self.watched.begin(self.model, optimizer_of(self.model.optimizer))
        else:
            LOGGER.warning("Keras is watched where it runs on PyTorch, without jit_compile=True")

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._loss = self._target = None
        if not self._is_watching:
            return
        with self.watched.unharmed():
            compute_loss, apply = self.model.compute_loss, self.model.optimizer.apply

            def listening_compute_loss(
                x: Any = None, y: Any = None, *args: Any, **kwargs: Any
            ) -> Any:
                del self.model.__dict__["compute_loss"]
                self._target, self._loss = y, compute_loss(x, y, *args, **kwargs)
                return self._loss

            def listening_apply(*args: Any, **kwargs: Any) -> Any:
                del self.model.optimizer.__dict__["apply"]
                if is_update(self.model.optimizer):
                    self.watched.before_update()
                return apply(*args, **kwargs)

            # past Keras, which keeps account of what is set on a model
            self.model.__dict__["compute_loss"] = listening_compute_loss
            self.model.optimizer.__dict__["apply"] = listening_apply

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.model.__dict__.pop("compute_loss", None)  # if nobody called it
        self.model.optimizer.__dict__.pop("apply", None)
        self.watched.step(self._loss, self._target)
        self._loss = self._target = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.watched.evaluated({k: v for k, v in (logs or {}).items() if k.startswith("val_")})

    def on_train_end(self, logs: Any = None) -> None:
        self.watched.end()


def layers_of(network: nn.Module) -> dict[str, tuple[nn.Module, LayerFacts]]:
    """The layers of a model of Keras by name, with their facts; nothing of another network.

    A layer with an activation in it, as `Dense(10, activation="relu")`, counts as that activation:
    it is what the layer gives.
    """
    if not isinstance(network, keras.Model):
        return {}
    parameters = {id(p): name for name, p in network.named_parameters()}
    layers: dict[str, tuple[nn.Module, LayerFacts]] = {}
    for own, layer in innermost_layers(network, {id(network)}):
        name = next(n for n in (own, *(f"{own}_{i}" for i in range(2, 99))) if n not in layers)
        layers[name] = (layer, facts_of(name, layer, parameters))
    return layers


def innermost_layers(layer: Any, visited: set[int]) -> Iterator[tuple[str, nn.Module]]:
    """The layers in a layer that have none in them, by name; modules of PyTorch's too."""
    if isinstance(wrapped := getattr(layer, "module", None), nn.Module):
        for name, module in watched_modules(wrapped):
            yield f"{layer.name}.{name}", module
        return
    parts = [part for part in layer._layers if isinstance(part, keras.layers.Layer)]
    if isinstance(layer, keras.layers.RNN) or not parts:
        if not type(layer).__name__.endswith(PASS_THROUGH):
            yield layer.name, layer
        return
    for part in parts:
        if id(part) not in visited:
            visited.add(id(part))
            yield from innermost_layers(part, visited)


def facts_of(name: str, layer: Any, parameters: dict[int, str]) -> LayerFacts:
    """The facts of one layer; `parameters` are the names of the network's, by id."""
    if not isinstance(layer, keras.layers.Layer):
        return layer_facts(name, layer, parameters)
    kind = type(layer).__name__
    own = tuple(
        parameters[id(v.value)] for v in layer.trainable_variables if id(v.value) in parameters
    )
    function = activation_of(layer)
    if kind.endswith("Normalization"):
        role, function = "norm", None
    elif function is not None:
        role = "activation"
    else:
        role = "weights" if own else "other"
    axis = 1 if getattr(layer, "data_format", None) == "channels_first" else -1
    return LayerFacts(name, kind, role, axis, function, own)


def activation_of(layer: Any) -> str | None:
    """The activation whose output a layer gives, by its usual name; None where it gives another."""
    if isinstance(layer, keras.layers.RNN) or bool(getattr(layer, "negative_slope", None)):
        return None  # a cell has its activations inside
    function = getattr(layer, "activation", None)
    name = getattr(function, "__name__", "") if function else type(layer).__name__.lower()
    name = ACTIVATION_NAMES.get(name, name)
    return name if name in ACTIVATIONS and name != "identity" else None


OTHER_LAYERS.append(layers_of)


def optimizer_of(optimizer: Any) -> Any:
    """An optimizer of Keras in PyTorch's form."""
    variables = optimizer._trainable_variables
    settings = {
        "params": [variable.value for variable in variables],
        "weight_decay": optimizer.weight_decay or 0.0,
        "eps": getattr(optimizer, "epsilon", None),
        "momentum": getattr(optimizer, "momentum", None),
        "betas": (optimizer.beta_1, optimizer.beta_2) if hasattr(optimizer, "beta_2") else None,
    }
    group = {name: value for name, value in settings.items() if value is not None}
    return foreign_optimizer(
        type(optimizer).__name__, [group], lambda: [float(optimizer.learning_rate)]
    )


def is_update(optimizer: Any) -> bool:
    """Whether the next call of `apply` changes the weights: with accumulation, not each does."""
    accumulated = optimizer.gradient_accumulation_steps
    return not accumulated or (int(optimizer._iterations) + 1) % accumulated == 0
