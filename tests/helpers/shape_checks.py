"""Checks the shapes in signatures while the tests run: `Float[Tensor, "B F"]` is then a promise.

jaxtyping's own import hook does it for every function, at 20 µs a call and more; trainings of tests
took three times as long by it. Here only functions whose signature speaks of shapes are checked,
and of each the first calls in a test.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
import types
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype

CHECKED_CALLS = 30  # of each function, in each test
SHAPE = re.compile(r"\b(Float|Int|Shaped)\[")
_CONFIGURATION = BeartypeConf(violation_type=jaxtyping.TypeCheckError)
_test = 0


def next_test() -> None:
    """From here on, the first calls of each function are checked again."""
    global _test
    _test += 1


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, checked by beartype where its signature speaks of shapes, and nowhere else.

    Any other wrong argument must reach the package, which refuses it with a line for people; that
    line is tested."""
    check: Callable[..., Any] | None = None
    test = calls = 0

    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        nonlocal check, test, calls
        if test != _test:
            test, calls = _test, 0
        if calls >= CHECKED_CALLS or jaxtyping.config.jaxtyping_disable:
            return function(*arguments, **named)
        calls += 1
        if check is None:
            check = _with_shapes_alone(function)
        with jaxtyping.jaxtyped("context"):
            return check(*arguments, **named)

    return wrapper


def _with_shapes_alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """A copy of `function` that has no annotations but shapes, and checks these."""
    copy = types.FunctionType(
        function.__code__,  # type: ignore[attr-defined]
        function.__globals__,  # type: ignore[attr-defined]
        function.__name__,
        function.__defaults__,  # type: ignore[attr-defined]
        function.__closure__,  # type: ignore[attr-defined]
    )
    copy.__kwdefaults__ = function.__kwdefaults__  # type: ignore[attr-defined]
    copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
    from torch import Tensor

    # some modules import these for type checkers only
    names = {
        **{name: getattr(jaxtyping, name) for name in ("Float", "Int", "Shaped")},
        "Tensor": Tensor,
        **function.__globals__,  # type: ignore[attr-defined]
    }
    copy.__annotations__ = {
        name: eval(text, names)
        for name, text in function.__annotations__.items()
        if SHAPE.search(text)
    }
    result: Callable[..., Any] = beartype(conf=_CONFIGURATION)(copy)
    return result


class _Decorate(ast.NodeTransformer):
    """Puts `@checked` below the other decorators of every function with a shape in its
    signature.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        arguments = node.args
        annotations = [
            argument.annotation
            for argument in (
                *arguments.posonlyargs,
                *arguments.args,
                *arguments.kwonlyargs,
                arguments.vararg,
                arguments.kwarg,
            )
            if argument is not None
        ]
        if any(SHAPE.search(ast.unparse(a)) for a in (*annotations, node.returns) if a is not None):
            decorator = ast.parse(f"__import__({__name__!r}, fromlist=['checked']).checked").body[0]
            assert isinstance(decorator, ast.Expr)
            node.decorator_list.append(ast.copy_location(decorator.value, node))
        return node


class _Loader(SourceFileLoader):
    """Compiles what it loads with checks, and keeps it in no cache."""

    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        tree = _Decorate().visit(ast.parse(self.get_data(path), path))
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    def __init__(self, modules: Sequence[str]) -> None:
        self.modules = modules

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> ModuleSpec | None:
        if not any(fullname == m or fullname.startswith(f"{m}.") for m in self.modules):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or not isinstance(spec.loader, SourceFileLoader):
            return None
        if not SHAPE.search(Path(spec.origin).read_text()):
            return None
        spec.loader = _Loader(fullname, spec.origin)
        return spec


def check_shapes_of(*modules: str) -> None:
    """Check the signatures of these modules and of all below them, when they are imported."""
    already = [name for name in modules if name in sys.modules]
    if already:
        raise RuntimeError(f"imported before their shapes can be checked: {already}")
    sys.meta_path.insert(0, _Finder(modules))
