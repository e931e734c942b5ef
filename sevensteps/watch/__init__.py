"""Read-only observation of any network in any training loop. The package is also the function of its name: `ss.watch(model, optimizer)`."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *given: Any, **settings: Any) -> Any:
        # The function stands where watching and the doctor are put together; only a call goes there.
        from sevensteps.doctor.watching import watch

        return watch(*given, **settings)


sys.modules[__name__].__class__ = _Callable
