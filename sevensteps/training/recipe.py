"""A recipe: seven values, data and a seed. It is all that a training is, it can be written as TOML,
and it repeats to the same bits.
"""

from __future__ import annotations

import re
import reprlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from sevensteps.aliases import NUMBERS, keyword_text, rewrite
from sevensteps.arguments import number, one_of, whole
from sevensteps.data import Data, from_loader, to_notation
from sevensteps.errors import SHELL_WORDS, ArgumentError, NotationError, nearest
from sevensteps.notation import auto, cut
from sevensteps.steps import SETTINGS, STEPS, catalog, parse
from sevensteps.steps import gradient as gradients
from sevensteps.steps import initialize as initializers
from sevensteps.steps import loss as losses
from sevensteps.steps import predict as predictors
from sevensteps.steps import repeat as repeats
from sevensteps.steps import step as optimizers
from sevensteps.steps import stop as stops

KINDS: dict[str, type] = {
    "initialize": initializers.Initializer,
    "predict": predictors.Predictor,
    "loss": losses.Loss,
    "gradient": gradients.Gradient,
    "step": optimizers.Optimizer,
    "repeat": repeats.Repeat,
    "stop": stops.Stop,
}
# of parameters; bf16 is what it multiplies in
PRECISIONS = {
    "float32": torch.float32,
    "float64": torch.float64,
    "bf16": torch.float32,
}
PYTHON_OBJECTS: dict[str, type] = {  # values that no file can hold
    "predict": predictors.given,
    "repeat": repeats.loader,
}
MAX_TOML = 100_000  # bytes; a recipe has some ten lines
MAX_DOTS = 100  # of a line: the time to read a.b.c.… grows with their square
MAX_THREADS = (
    1024  # more than there are processors; the process ends where the system has no more to give
)
MAX_PARAMETERS = 1 << 32  # 16 GB in float32, before gradients


@dataclass(frozen=True)
class Recipe:
    """The seven values of a training, its data and its seed.

    A step is a value (`mlp(30)`), its text (`"mlp(30)"`), or None or `auto()` to have it chosen.
    `predict` may be any `torch.nn.Module`, and `repeat` any DataLoader. `data` is `Data` or the
    text that loads it. `threads` and `device` are kept because the bits of a result depend on them.
    `reasons` says of each step, once chosen, and of the threads why.
    """

    data: str | Data
    initialize: Any = None
    predict: Any = None
    loss: Any = None
    gradient: Any = None
    step: Any = None
    repeat: Any = None
    stop: Any = None
    seed: int = 0
    device: str = "cpu"
    threads: int | None = None
    precision: str = "float32"
    reasons: dict[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for step in STEPS:
            object.__setattr__(self, step, as_value(step, getattr(self, step)))
        if not isinstance(self.data, str | Data):
            raise ArgumentError(
                "data must be a name such as 'digits', or made by sevensteps.data, not a "
                f"{type(self.data).__name__}; "
                "for arrays use sevensteps.data.from_arrays(x, y)"
            )
        whole("seed", self.seed)
        one_of("precision", self.precision, PRECISIONS)
        if self.threads is not None:
            number("threads", whole("threads", self.threads, at_least=1), at_most=MAX_THREADS)
        try:
            torch.empty(1, device=resolve_device(self.device)).item()
        except (RuntimeError, AssertionError, ImportError) as failure:
            reason, at_shell = str(failure).splitlines()[0], "--device" in (SHELL_WORDS.get() or ())
            written = "--device {}" if at_shell else "device='{}'"
            if reason.startswith("Expected one of"):  # PyTorch lists all that it was ever built for
                why, better = "is none of cpu, cuda, mps and auto", "cuda"
            else:
                why, better = f"cannot be used here: {reason}", "cpu"
            raise ArgumentError(
                f"device {cut(repr(self.device))} {why}; use {written.format(better)}"
                + (" for an NVIDIA GPU" if better == "cuda" else "")
            ) from None

    @property
    def source(self) -> str:
        """The data as text."""
        return self.data if isinstance(self.data, str) else self.data.source

    @property
    def steps(self) -> dict[str, Any]:
        """The seven values by the name of their step, in order."""
        return {step: getattr(self, step) for step in STEPS}

    @property
    def python_objects(self) -> dict[str, Any]:
        """The steps that are Python objects, such as your own network: no file can hold them."""
        return {
            step: value
            for step, value in self.steps.items()
            if step in PYTHON_OBJECTS and isinstance(value, PYTHON_OBJECTS[step])
        }

    def to_toml(self) -> str:
        """The recipe as TOML, each step and the number of threads with its reason as a comment.
        `from_toml` gives an equal recipe back.
        """
        import tomlkit

        document = tomlkit.document()
        document.add(
            tomlkit.comment(
                "a sevensteps recipe; run it again with: sevensteps train --recipe FILE"
            )
        )
        document.add("data", tomlkit.item(self.source))
        settings = {name: getattr(self, name) for name in SETTINGS}
        for name, value in {
            **{step: repr(value) for step, value in self.steps.items()},
            **{name: value for name, value in settings.items() if value is not None},
        }.items():
            item = tomlkit.item(value)
            if name in self.reasons:
                item.comment(
                    " ".join(
                        "".join(c if c.isprintable() else " " for c in self.reasons[name]).split()
                    )
                )
            document.add(name, item)
        return tomlkit.dumps(document)

    @classmethod
    def from_toml(cls, source: str | Path, *, allow_code: bool = False, **changes: Any) -> Recipe:
        """The recipe in a TOML file, or in TOML text that has a line break; `changes` replace what
        it says.

        Raises `NotationError` for what cannot be read, with the key. A `module("package:factory")`
        would run code: it is refused unless `allow_code` says otherwise.
        """
        where = "recipe"
        text = str(source)
        if isinstance(source, Path) or "\n" not in text:
            where = cut(str(source), 300)
            try:
                # a pipe would be waited for without end
                if not Path(source).is_file() and Path(source).exists():
                    raise OSError("it is no file")
                if (size := Path(source).stat().st_size) > MAX_TOML:
                    raise OSError(f"it has {size:,} bytes, and a recipe at most {MAX_TOML:,}")
                text = Path(source).read_text(encoding="utf-8")
            except FileNotFoundError:
                raise NotationError(
                    f"there is no recipe {where}; write one with Recipe.to_toml(), or take a "
                    "run's recipe.toml"
                ) from None
            except (OSError, ValueError) as failure:  # also a name that no file can have
                why = getattr(failure, "strerror", None) or failure
                raise NotationError(
                    f"{where} cannot be read: {why}; a recipe is a TOML text file"
                ) from None
        if len(text) > MAX_TOML:
            raise NotationError(
                f"{where} has {len(text)} characters; a recipe has at most {MAX_TOML}"
            )
        if any(
            re.sub(r"""#.*|"[^"]*"|'[^']*'""", "", line).count(".") > MAX_DOTS
            for line in text.splitlines()
        ):
            raise NotationError(
                f"{where} has more than {MAX_DOTS} dots in a line; outside of quotes a recipe has "
                "none"
            )
        try:
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as failure:
            why = (
                "too many brackets"
                if isinstance(failure, RecursionError)
                else cut(str(failure), 300)
            )
            raise NotationError(f"{where} is not valid TOML: {why}") from None
        return cls._from_table(table, where, allow_code, changes)

    @classmethod
    def _from_table(
        cls, table: Mapping[str, Any], where: str, allow_code: bool, changes: Mapping[str, Any]
    ) -> Recipe:
        keys = [f.name for f in fields(cls) if f.name != "reasons"]
        for key, item in table.items():
            if key not in keys:
                raise NotationError(f"{where}: unknown key '{cut(key)}'; {nearest(cut(key), keys)}")
            wanted = int if key in ("seed", "threads") else str
            if isinstance(item, int) and abs(item) >> 63:  # Python's reader of TOML knows no limit
                raise NotationError(f"{where}: {key} is too large a number; TOML goes up to 2^63")
            if not isinstance(item, wanted) or isinstance(item, bool):
                kind = "a whole number" if wanted is int else "a text in quotes"
                example = f', as in {key} = "{catalog(key)[1].name}()"' if key in STEPS else ""
                raise NotationError(
                    f"{where}: {key} must be {kind}{example}, not {reprlib.repr(item)}"
                )
        if "data" not in table:
            raise NotationError(
                f'{where}: the key data is missing; name the data, as in data = "digits"'
            )
        for key in PYTHON_OBJECTS:
            if key not in changes and was_python_object(key, table.get(key, "")):
                raise NotationError(
                    f"{where}: {key} = {cut(repr(table[key]))} was a Python object, which no file "
                    "can hold; give it "
                    f"again in Python, as {key}=…"
                )
        recipe = cls(**{**table, **changes})
        if isinstance(recipe.predict, predictors.module) and not allow_code:
            raise NotationError(
                f"{where}: predict = {recipe.predict!r} would run code from this machine; allow "
                "it with --allow-code "
                "(allow_code=True) if you trust the recipe"
            )
        return recipe


def was_python_object(step: str, text: str) -> bool:
    """Whether `text`, as a recipe or `run.json` has it, stands for an object that only Python had.

    >>> was_python_object("predict", "given(<Net>)"), was_python_object("predict", "mlp(30)")
    (True, False)
    """
    return step in PYTHON_OBJECTS and text.startswith(f"{PYTHON_OBJECTS[step].__name__}(")


def as_value(step: str, value: Any) -> Any:
    """`value` as a value of `step`: text is parsed, a network or DataLoader wrapped, None becomes
    `auto()`; else refused.
    """
    if value is None:
        return auto()
    if isinstance(value, str):
        value = parse(step, value)
    elif isinstance(value, nn.Module) and step == "predict":
        value = predictors.given(value)
    elif isinstance(value, torch.utils.data.DataLoader) and step == "repeat":
        value = repeats.loader(value)
    if isinstance(value, auto | KINDS[step]):
        return value
    if isinstance(value, optimizers.Schedule) and step == "step":
        raise ArgumentError(
            f"{value!r} is a schedule of the learning rate, not a step; write sgd(lr={value!r})"
        )
    raise ArgumentError(
        f"{cut(repr(value))} is no value of the step {step}; {_offered(step, value)}"
    )


def _offered(step: str, value: Any) -> str:
    for other in STEPS:
        if isinstance(value, KINDS[other]):
            return f"it belongs to {other}"
    if isinstance(value, int | float) and step in NUMBERS:
        return f'write: {step}="{rewrite(step, str(value))}"'
    return "it offers " + ", ".join(entry.name for entry in catalog(step))


def resolve_device(device: str) -> torch.device:
    """`auto` is the fastest device there is: cuda, mps or cpu."""
    if device != "auto":
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


# -- from what was asked to what is run ------------------------------------------------------------


Trained = str | Data | Recipe | DataLoader[Any] | Dataset[Any]


def as_recipe(data: Trained, changes: dict[str, Any]) -> Recipe:
    """One recipe from a name, `Data` or a recipe, and from keywords that replace what it says. None
    means not given.
    """
    changes = {key: item for key, item in changes.items() if item is not None}
    if isinstance(data, str):
        data = to_notation(data)
    elif isinstance(data, DataLoader | Dataset):
        data = from_loader(data)
    try:
        return replace(data, **changes) if isinstance(data, Recipe) else Recipe(data, **changes)
    except TypeError as failure:
        of_data = [
            key for key in changes if key in ("target", "separator", "missing", "drop", "keep")
        ]
        if of_data and isinstance(data, str):
            raise ArgumentError(
                f"train: {of_data[0]} belongs to the data; write: "
                f'ss.train(ss.data.load("FILE", {of_data[0]}=…))'
            ) from None
        # of newer versions of Python without the nearest name
        unknown = str(failure).removeprefix("Recipe.__init__() ").partition(". Did you mean")[0]
        meant = {key: text for key, item in changes.items() if (text := keyword_text(key, item))}
        if meant:
            raise ArgumentError(
                f"train: there is no {next(iter(meant))!r}; write: {', '.join(meant.values())}"
            ) from None
        raise ArgumentError(
            f"train: {unknown}; the steps are initialize, "
            "predict, loss, gradient, "
            "step, repeat, stop"
        ) from None
