"""Classes as people read them: by their names where a training knows them, else by number."""

from __future__ import annotations

from collections.abc import Sequence

from sevensteps.doctor.case import Case

MOST_NAMED = 5


def class_name(case: Case, number: int) -> str:
    """The name of a class; its number where it has none."""
    return case.classes[number] if 0 <= number < len(case.classes) else str(number)


def class_subject(case: Case, numbers: Sequence[int]) -> tuple[str, bool]:
    """The classes as the subject of a sentence, "Classes wren and hoopoe", and whether they are
    several.
    """
    names = [class_name(case, number) for number in numbers[:MOST_NAMED]]
    if len(numbers) > MOST_NAMED:
        names.append(f"{len(numbers) - MOST_NAMED:,} more")
    if len(names) == 1:
        return f"Class {names[0]}", False
    return f"Classes {', '.join(names[:-1])} and {names[-1]}", True
