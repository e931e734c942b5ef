"""The calls within networks' forward passes, which are much the same in every step: they are heard
in some looks, and in the others taken to be those of the last time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sevensteps.observe.call import Call

FIRST, EVERY = 2, 4  # looks that hear them: the first ones, and of the later ones every fourth


class CallsInside:
    """The calls within forward passes as they were last heard, with what tells them apart.

    `heard` says whether the look that goes on hears them. Those that the loss comes of, or that
    others listen to, are heard in all looks: set `matter` for them. So are all in full looks at a
    loss of several parts, whose gradients are measured only where no hook was heard.
    """

    def __init__(self) -> None:
        self.heard, self.matter = True, False
        self._looks = 0
        self._several_parts = True
        self._known: dict[str, list[tuple[Any, Call, int]]] = {}  # of each network, in their order

    def arm(self, *, full: bool) -> None:
        """A look begins."""
        due = self._looks < FIRST or self._looks % EVERY == 0
        self.heard = due or self.matter or (full and self._several_parts)
        self._looks += 1

    def remember(self, calls: Mapping[Any, list[Any]], *, several_parts: bool) -> None:
        """A look ends that had these calls: [index, call, count] by what tells them apart."""
        self._several_parts = several_parts
        if not self.heard:
            return
        self._known = {}
        for key, (_, call, count) in calls.items():
            if call.network is not None:
                self.matter = self.matter or call.kind == "loss"
                own = self._known.setdefault(call.network, [])
                own.append((key, replace(call, content={}), count))

    def of(self, network: str) -> Iterator[tuple[Any, Call, int]]:
        """What tells each call of a network apart, the call without its content, and its count."""
        return iter(self._known.get(network, ()))
