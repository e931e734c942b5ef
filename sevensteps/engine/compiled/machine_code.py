"""Python functions as machine code, by Numba; what it compiled is cached on disk.

`kernel` marks what is called by other machine code, `entry` what Python calls. An entry releases
Python's lock while it runs. Source: Lam, Pitrou, Seibert 2015, Numba: A LLVM-based Python JIT
Compiler.
"""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from numba.core import caching
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])
Array = np.ndarray[Any, np.dtype[Any]]


def kernel(function: F) -> F:
    """A function that other machine code calls."""
    compiled: F = numba.njit(nogil=True, error_model="numpy")(inspect.unwrap(function))
    return compiled


def sum_kernel(function: F) -> F:
    """A `kernel` whose sums may be taken in another order than written, though always the same: it
    is what vector instructions need for a dot product. Nothing is assumed about inf and nan.
    """
    order = {"reassoc", "contract", "nsz"}
    compiled: F = numba.njit(nogil=True, error_model="numpy", fastmath=order)(
        inspect.unwrap(function)
    )
    return compiled


@intrinsic  # type: ignore[untyped-decorator]
def unowned(typingctx: Any, array: Any) -> tuple[Any, Any]:
    """The same array, whose memory is the caller's to keep: Numba then does not count how often it
    is referred to, which took 40 % of a step of one sample.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(array)(context, builder, arguments[0])
        for owner in ("meminfo", "parent"):
            setattr(view, owner, getattr(view, owner).type(None))
        return impl_ret_borrowed(context, builder, array, view._getvalue())

    return array(array), generate


def entry(function: Callable[..., Any]) -> Any:
    """A function that Python calls; compiled once for each kind of arguments, on this machine."""
    function = inspect.unwrap(function)  # without what a test's import hook puts around it
    dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
    if os.environ.get("NUMBA_CACHE_DIR"):
        dispatcher.enable_caching()
    elif _writable(_folder()):
        dispatcher._cache = _Cache(function)
    return dispatcher


def _folder() -> Path:
    """Of this version of the source: another one beside it has a folder of its own."""
    import pooch

    return Path(pooch.os_cache("sevensteps")) / "compiled" / _source()


def _writable(folder: Path) -> bool:
    """Whether machine code can be kept there; where not, each process compiles anew."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        return os.access(folder, os.W_OK | os.X_OK)
    return False


@cache
def _source() -> str:
    """What machine code depends on: every file of this folder, and Numba's version."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class _Locator(caching._CacheLocator):  # type: ignore[misc]
    """Where the machine code of one function is, and what makes it out of date. Numba itself looks
    only at the function's own file, not at what it calls.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._lineno = function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(_folder())

    def get_source_stamp(self) -> str:
        return _source()

    def get_disambiguator(self) -> str:
        return str(self._lineno)

    @classmethod
    def from_function(cls, function: Callable[..., Any], path: str) -> _Locator:
        return cls(function)


class _Files(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_Locator]  # noqa: RUF012 - Numba's own name and form


class _Cache(caching.FunctionCache):  # type: ignore[misc]
    _impl_class = _Files

    def save_overload(self, signature: Any, machine_code: Any) -> None:
        with suppress(OSError):  # a full disk: the next process compiles again
            super().save_overload(signature, machine_code)

    def load_overload(self, signature: Any, target: Any) -> Any:
        try:
            return super().load_overload(signature, target)
        except Exception:  # a damaged file is as good as none
            return None


def is_ready(dispatcher: Any, arguments: tuple[Any, ...]) -> bool:
    """Whether calling `dispatcher` with such arguments need not compile: its machine code is
    loaded, or on disk.
    """
    signature = tuple(numba.typeof(argument) for argument in arguments)
    if signature in dispatcher.overloads:
        return True
    with suppress(Exception):
        cache = dispatcher._cache
        key = cache._index_key(signature, dispatcher.targetctx.codegen())
        return cache._cache_file._load_index().get(key) is not None
    return False
