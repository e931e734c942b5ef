"""One spelling for a step's value: `sgd(lr=0.1)` is a call in Python and safely parsed text
everywhere else.

`repr(value)` gives the text; `parse` gives an equal value back. Nothing is ever evaluated: the text
is read as a syntax tree in which only names of the step at hand, plain literals and `|` between
stop rules are allowed.
"""

from __future__ import annotations

import ast
import functools
import inspect
import json
import math
import operator
import pkgutil
import shlex
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeVar, dataclass_transform

from sevensteps.aliases import OTHER_ARGUMENTS
from sevensteps.errors import SHELL_WORDS, Error, NotationError, nearest

MAX_LENGTH = 2000  # characters; a recipe's longest honest value is far shorter
MAX_DEPTH = 40  # nested brackets or joined stop rules

T = TypeVar("T")


# -- values: written, printed, compared ------------------------------------------------------------


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """Make `cls` a frozen dataclass that prints as its notation and equals what holds the same
    arguments.

    An argument is printed where it differs from its default or has none; `always_shown` names those
    printed anyway. Positional arguments print bare, keyword-only ones as `name=value`.
    """
    step_class = dataclass(frozen=True, repr=False, eq=False, init="__init__" not in vars(cls))(cls)
    step_class.__init__ = _knowing_other_names(step_class.__init__)  # type: ignore[method-assign]
    step_class.__repr__ = _spell  # type: ignore[method-assign]
    step_class.__eq__ = _same  # type: ignore[method-assign]
    step_class.__hash__ = _hash  # type: ignore[method-assign]
    return step_class


def _knowing_other_names(init: Callable[..., None]) -> Callable[..., None]:
    """`init`, which for an argument as other libraries name it says how it is named here."""

    @functools.wraps(init)
    def renamed(self: Any, *arguments: Any, **keywords: Any) -> None:
        try:
            init(self, *arguments, **keywords)
        except TypeError:
            known = inspect.signature(type(self)).parameters
            for name in keywords:
                here = OTHER_ARGUMENTS.get(name)
                if here in known and name not in known:
                    raise NotationError(
                        f"{type(self).__name__} has no {name!r}; write: {here}="
                    ) from None
            raise

    return renamed


def _spell(self: Any) -> str:
    shown = getattr(self, "always_shown", ())
    arguments: list[str] = []
    bare = True  # positional arguments can be printed bare until one has been left out
    for name, parameter in inspect.signature(type(self)).parameters.items():
        argument = getattr(self, name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            arguments += [literal(item) for item in argument]
        elif parameter.kind is parameter.VAR_KEYWORD:
            arguments += [f"{key}={literal(item)}" for key, item in argument.items()]
        elif (
            parameter.default is not parameter.empty
            and argument == parameter.default
            and name not in shown
        ):
            bare = False
        elif parameter.kind is parameter.KEYWORD_ONLY or not bare:
            arguments.append(f"{name}={literal(argument)}")
        else:
            arguments.append(literal(argument))
    return f"{type(self).__name__}({', '.join(arguments)})"


def _argument_values(self: Any) -> tuple[Any, ...]:
    arguments = (getattr(self, name) for name in inspect.signature(type(self)).parameters)
    return tuple(
        tuple(sorted(item.items())) if isinstance(item, dict) else item for item in arguments
    )


def _same(self: object, other: object) -> bool:
    return type(self) is type(other) and _argument_values(self) == _argument_values(other)


def _hash(self: object) -> int:
    return hash((type(self), _argument_values(self)))


def literal(item: object) -> str:
    """One argument as text that `parse` reads back: strings in double quotes, numbers at full
    precision.
    """
    if isinstance(item, str):
        return json.dumps(item, ensure_ascii=False)
    if isinstance(item, list | tuple):
        return "(" + ", ".join(map(literal, item)) + ("," if len(item) == 1 else "") + ")"
    # NumPy's numbers print their type around themselves
    if isinstance(item, Real) and not isinstance(item, bool):
        return repr(int(item) if isinstance(item, Integral) else float(item))
    return repr(item)


@value
class auto:
    """chosen for you from the data and the other steps; the choice and its reason are shown

    `auto(lr=0.05)` leaves the choice open and hands the arguments on to whatever is chosen.
    """

    options: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        vars(self).update(options=options)


# -- what can be written ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One value that a file offers: its name, its arguments as written, and its docstring."""

    name: str
    arguments: str
    doc: str

    @property
    def summary(self) -> str:
        """The first paragraph on one line."""
        return " ".join(self.doc.split("\n\n")[0].split())


@functools.cache
def offered(package: str, file: str) -> tuple[Entry, ...]:
    """What `file` of `package` lists in its `__all__`, read from the source: listing must not wait
    for an import of PyTorch.
    """
    tree = ast.parse(pkgutil.get_data(package, file) or b"")
    names: list[str] = []
    classes: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            classes[node.name] = node
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id == "__all__"
        ):
            names = ast.literal_eval(node.value)
    classes |= _imported_bases(tree, classes)
    automatic = Entry("auto", "**options", inspect.cleandoc(auto.__doc__ or ""))
    return tuple(automatic if name == "auto" else _entry(classes[name], classes) for name in names)


def _imported_bases(
    tree: ast.Module, classes: Mapping[str, ast.ClassDef]
) -> dict[str, ast.ClassDef]:
    """The bases of `classes` that stand in other modules of this package, read from their
    source.
    """
    wanted = {
        base.id for node in classes.values() for base in node.bases if isinstance(base, ast.Name)
    }
    bases: dict[str, ast.ClassDef] = {}
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(
            "sevensteps."
        ):
            continue
        if names := wanted & {alias.name for alias in node.names}:
            package, _, file = str(node.module).rpartition(".")
            source = ast.parse(pkgutil.get_data(package, f"{file}.py") or b"")
            bases |= {
                item.name: item
                for item in source.body
                if isinstance(item, ast.ClassDef) and item.name in names
            }
    return bases


def _entry(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> Entry:
    doc = ast.get_docstring(node) or ""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return Entry(node.name, _plain(item.args), doc)
    positional, keywords = _fields(node, classes)
    return Entry(node.name, ", ".join([*positional, *(["*"] if keywords else []), *keywords]), doc)


def _fields(node: ast.ClassDef, classes: Mapping[str, ast.ClassDef]) -> tuple[list[str], list[str]]:
    """The positional and the keyword-only arguments of a dataclass, those of its base first."""
    positional: list[str] = []
    keywords: list[str] = []
    for base in node.bases:
        parent = classes.get(base.id) if isinstance(base, ast.Name) else None
        if parent is not None and parent.decorator_list:
            for arguments, inherited in zip(
                (positional, keywords), _fields(parent, classes), strict=True
            ):
                arguments += inherited
    arguments = positional
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            kind = ast.unparse(item.annotation)
            if kind == "KW_ONLY":
                arguments = keywords
            elif not kind.startswith("ClassVar"):
                default = f"={ast.unparse(item.value)}" if item.value else ""
                arguments.append(item.target.id + default)
    return positional, keywords


def _plain(arguments: ast.arguments) -> str:
    for argument in [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]:
        if argument is not None:
            argument.annotation = None
    return ast.unparse(arguments).removeprefix("self").removeprefix(", ")


# -- text -> value ---------------------------------------------------------------------------------


def parse(
    text: str,
    names: Mapping[str, Callable[..., Any]] | Callable[[str], Callable[..., Any]],
    *,
    what: str,
    known: Iterable[str] | None = None,
    example: str | None = None,
) -> Any:
    """The value that `text` spells, made with the callables in `names`.

    `names` maps a name to what makes its value, or is a function doing so for the names in `known`.
    `what` says in messages what is being read ("predict"), `example` how it is written. Raises
    `NotationError` with the text, the place and the fix.
    """
    offers = sorted(known if known is not None else names)  # type: ignore[arg-type]
    return _Reader(str(text).strip(), names, offers, what, example or f"{offers[0]}()").read()


class _Reader:
    def __init__(self, text: str, names: Any, known: list[str], what: str, example: str) -> None:
        self.text, self.known, self.what, self.example = text, known, what, example
        self.make = names if callable(names) else names.__getitem__

    def read(self) -> Any:
        if not self.text:
            raise self.error("is empty", f"write one of: {', '.join(self.known)}")
        if len(self.text) > MAX_LENGTH:
            raise self.error(f"has {len(self.text)} characters", f"the limit is {MAX_LENGTH}")
        if _depth(self.text) > MAX_DEPTH:
            raise self.error("nests too many brackets", f"the limit is {MAX_DEPTH}")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(self.text, mode="eval")
        except SyntaxError as failure:
            place = f" at character {failure.offset}" if failure.offset else ""
            raise self.error(f"cannot be read{place}", f"write it as {self.example}") from None
        except (ValueError, MemoryError, RecursionError):
            raise self.error("cannot be read", f"write it as {self.example}") from None
        return self.step_value(tree.body, 0)

    def step_value(self, node: ast.expr, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self.error("is nested too deeply", f"the limit is {MAX_DEPTH}")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            left, right = (
                self.step_value(node.left, depth + 1),
                self.step_value(node.right, depth + 1),
            )
            try:
                return operator.or_(left, right)
            except TypeError:
                raise self.error("joins values with |", "only stop rules can be joined") from None
        if isinstance(node, ast.Name):  # `linear` is short for `linear()`
            return self.call(node, node.id, [], {})
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            positional = [self.argument(item, depth + 1) for item in node.args]
            named = {}
            for keyword in node.keywords:
                if keyword.arg is None:
                    raise self.foreign(keyword.value)
                named[keyword.arg] = self.argument(keyword.value, depth + 1)
            return self.call(node, node.func.id, positional, named)
        raise self.foreign(node)

    def argument(self, node: ast.expr, depth: int) -> Any:
        if isinstance(node, ast.Call | ast.BinOp):
            return self.step_value(node, depth)
        if isinstance(node, ast.List | ast.Tuple) and depth <= MAX_DEPTH:
            return tuple(self.argument(item, depth + 1) for item in node.elts)
        sign, operand = 1, node
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
            sign, operand = (-1 if isinstance(node.op, ast.USub) else 1), node.operand
        if isinstance(operand, ast.Constant):
            constant = operand.value
            if isinstance(constant, float) and not math.isfinite(constant):
                raise self.error("has a number too large to hold", "write a finite number")
            if operand is node and (
                constant is None or isinstance(constant, bool | int | float | str)
            ):
                return constant
            if isinstance(constant, int | float) and not isinstance(constant, bool):
                return sign * constant
        if isinstance(node, ast.Name) and node.id not in (*self.known, "nan", "inf"):
            self.refuse_as_text(node)
            raise self.error(f"has {node.id} without quotes", f"write: {self.with_quotes(node)}")
        raise self.foreign(node)

    def refuse_as_text(self, node: ast.Name) -> None:
        """Raise what is wrong with a name where not even a text can stand, as in epochs(five)."""
        end = node.col_offset + len(node.id)
        quoted = f'{self.text[: node.col_offset]}"{node.id}"{self.text[end:]}'
        _Reader(quoted, self.make, self.known, self.what, self.example).read()

    def with_quotes(self, node: ast.Name) -> str:
        """What was written, with quotes around a name, as it is typed where the user is."""
        end = node.col_offset + len(node.id)
        text = f'{self.text[: node.col_offset]}"{node.id}"{self.text[end:]}'
        return text if SHELL_WORDS.get() is None else shlex.quote(text)

    def call(self, node: ast.expr, name: str, positional: list[Any], named: dict[str, Any]) -> Any:
        if name not in self.known:
            raise NotationError(f"{self.what} has no '{cut(name)}'; {nearest(name, self.known)}")
        factory = self.make(name)
        try:
            inspect.signature(factory).bind(*positional, **named)
        except TypeError as failure:
            raise NotationError(
                f"{self.what}: {name}: {failure}; it takes {name}{_arguments(factory)}"
            ) from None
        try:
            return factory(*positional, **named)
        except Error as failure:
            raise NotationError(f"{self.what}: {cut(self.source(node))}: {failure}") from failure
        except (TypeError, ValueError, OverflowError) as failure:
            raise NotationError(
                f"{self.what}: {cut(self.source(node))}: {failure}; it takes "
                f"{name}{_arguments(factory)}"
            ) from failure

    def foreign(self, node: ast.expr) -> NotationError:
        if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") in self.known:
            inside = self.source(node.slice).strip("()")
            fix = f"write round ones: {self.source(node.value)}({inside})"
            return self.error("has square brackets", fix)
        return self.error(
            f"has '{cut(self.source(node))}', which is not a plain value",
            f"write names of {self.what} with numbers, texts, True, False or None: {self.example}",
        )

    def source(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.text, node) or self.text

    def error(self, problem: str, fix: str) -> NotationError:
        return NotationError(f"{self.what}: '{cut(self.text)}' {problem}; {fix}")


def _arguments(factory: Callable[..., Any]) -> str:
    parameters = [
        p.replace(annotation=p.empty) for p in inspect.signature(factory).parameters.values()
    ]
    return str(inspect.Signature(parameters))


def _depth(text: str) -> int:
    level = deepest = 0
    for character in text:
        level += (character in "([{") - (character in ")]}")
        deepest = max(deepest, level)
    return deepest


def cut(text: str, limit: int = 80) -> str:
    """`text` on one line of at most `limit` characters, without any that a terminal would obey."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"
