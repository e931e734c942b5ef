"""What a table holds, and what is suspicious in it."""

from __future__ import annotations

from sevensteps.data.formats.frame import FrameOptions
from sevensteps.data.table.overview import overview_of
from sevensteps.data.table.text_table import TextTable

ROWS = [
    [str(n), str(n % 17), str((n % 17) ** 3), f"{n % 5}", "odd" if n % 5 > 2 else "even", ""]
    for n in range(1, 101)
]
NAMES = ["id", "length", "volume", "code", "kind", "empty"]


def remarks(target: str, **options: tuple[str, ...]) -> dict[str, str]:
    table = TextTable("a.csv", "a.csv", NAMES, ROWS)
    overview = overview_of(table, FrameOptions("a.csv", target=target, **options))  # type: ignore[arg-type]
    assert (overview.target, overview.rows) == (target, 100)
    return {column.name: column.remark for column in overview.columns}


def test_columns_that_tell_the_target_and_those_left_out() -> None:
    classes = remarks("kind")
    assert classes["code"] == "tells kind: each of its values goes with one kind"
    assert (classes["length"], classes["id"]) == ("", "left out: counts the rows")
    assert classes["empty"] == "left out: is empty"
    assert remarks("kind", drop=("code",))["code"].startswith("left out, as asked")


def test_an_amount_that_another_rises_with() -> None:
    rows = [[str(n * 7 % 101), str((n * 7 % 101) ** 2), str(n % 3)] for n in range(100)]
    table = TextTable("a.csv", "a.csv", ["side", "area", "other"], rows)
    overview = overview_of(table, FrameOptions("a.csv", target="area"))
    assert [column.remark for column in overview.columns] == [
        "tells area: the one rises or falls with the other",
        "",
        "",
    ]


def test_without_a_target_one_is_suggested() -> None:
    overview = overview_of(
        TextTable("a.csv", "a.csv", NAMES, ROWS), FrameOptions("a.csv", target=None)
    )
    assert (overview.target, overview.is_chosen) == ("kind", False)
    assert overview.to_dict()["columns"][1] == {
        "name": "length",
        "kind": "number",
        "different": 17,
        "gaps": 0,
        "content": "0 to 16",
        "remark": "",
    }


def test_measured_numbers_are_no_identifier() -> None:
    rows = [[f"{n / 7:.3f}", str(n * 37 % 101), f"{n % 3}"] for n in range(60)]
    names = ["column 1", "column 2", "column 3"]
    overview = overview_of(TextTable("a.csv", "a.csv", names, rows), FrameOptions("a.csv"))
    assert [column.remark for column in overview.columns] == [
        "",
        "left out: has another number in each row: an identifier",
        "",
    ]
