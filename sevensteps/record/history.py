"""The numbers of a training as people read and tabulate them: its metrics and its history."""

from __future__ import annotations

from typing import Any

from sevensteps.errors import ArgumentError


class Metrics(dict[str, Any]):
    """The metrics of one part by name; printed on one line, those by class as their range.

    >>> Metrics(loss=0.25, accuracy=0.9, by_class={"cat": 1.0, "dog": 0.8})
    loss 0.2500, accuracy 0.9000, by class 0.8000 (dog) to 1.0000 (cat)
    """

    def __repr__(self) -> str:
        texts = []
        for name, value in self.items():
            if isinstance(value, dict) and value:
                known = {key: item for key, item in value.items() if item is not None}
                if not known:
                    continue
                low, high = (end(known, key=known.__getitem__) for end in (min, max))
                texts.append(f"by class {known[low]:.4f} ({low}) to {known[high]:.4f} ({high})")
            elif not isinstance(value, dict):
                texts.append(f"{name} {number(value)}")
        return ", ".join(texts)


def number(value: float | None) -> str:
    """A metric to four digits.

    >>> number(0.12345), number(1129.67), number(None)
    ('0.1235', '1,130', 'not a number')
    """
    if value is None:
        return "not a number"
    if not isinstance(value, float) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4f}" if abs(value) >= 0.001 or value == 0 else f"{value:.3g}"


class History(list[dict[str, Any]]):
    """A row for each evaluation: `epoch`, `step`, and the metrics of both parts.

    `frame()` gives them as a pandas frame, `flat()` as plain rows of numbers.
    """

    def flat(self) -> list[dict[str, Any]]:
        """The rows with one number for a name: `valid_loss`; what is given by class is left out."""
        return [flat_row(row) for row in self]

    def frame(self) -> Any:
        """The rows as a pandas frame, a column for each number. Raises `ArgumentError` where pandas
        is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise ArgumentError(
                'a frame needs pandas, which is not installed: pip install "sevensteps[notebook]"; '
                "history.flat() gives the rows without it"
            ) from None
        return pandas.DataFrame(self.flat())


def flat_row(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the history with one number for a name.

    >>> flat_row({"epoch": 1, "valid": {"loss": 0.5, "by_class": {"a": 1.0}}})
    {'epoch': 1, 'valid_loss': 0.5}
    """
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            numbers = {f"{name}_{key}": item for key, item in value.items()}
            flat |= {
                key: item for key, item in numbers.items() if not isinstance(item, dict | list)
            }
        elif not isinstance(value, list):
            flat[name] = value
    return flat
