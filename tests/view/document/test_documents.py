"""Every document is what docs/schemas/report.schema.json and view/web/document.js say, is bounded,
and shows what the training was.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch

import sevensteps as ss
from sevensteps.api.report import compared_document, folder_document, race_folder_document
from sevensteps.doctor.case import Case
from sevensteps.doctor.conditions import condition_names
from sevensteps.doctor.diagnosis import Diagnosis
from sevensteps.observe.look import Change, Look, Signal
from sevensteps.observe.network_facts import LayerFacts, NetworkFacts, ParameterFacts
from sevensteps.observe.observation import Observation
from sevensteps.view.document import numbers
from sevensteps.view.document.consequences import CONSEQUENCES
from sevensteps.view.document.curves import curve, step_losses
from sevensteps.view.document.explanation import explanation_document
from sevensteps.view.document.looks import looks_document, quantity_curves
from sevensteps.view.document.script import patch_lines
from sevensteps.view.document.verdict import evidence_bar
from sevensteps.view.document.watched import watched_document
from sevensteps.view.report import WEB, report_page

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "docs" / "schemas" / "report.schema.json").read_text("utf-8"))
TYPES = (WEB / "document.js").read_text(encoding="utf-8")
MAX_BYTES = 2_500_000  # of a report

Document = dict[str, Any]


def check(document: Document) -> Document:
    """The document as it is read back; raises where it is not what the schema describes."""
    again: Document = json.loads(json.dumps(document, allow_nan=False))
    jsonschema.Draft202012Validator(SCHEMA).validate(again)
    return again


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_schema_and_types_know_the_same_parts() -> None:
    declared = TYPES.split("@typedef {object} Document")[1]
    names = re.findall(r"@property \{.*?\} \[?(\w+)\]?", declared.replace("\n *   ", " "))
    assert sorted(SCHEMA["$defs"]["document"]["properties"]) == sorted(names)


def test_schema_and_types_have_the_same_bounds() -> None:
    bounds = {
        name: int(size.replace("_", "")) for name, size in re.findall(r"(\w+): ([\d_]+)", TYPES)
    }
    assert bounds["points"] >= numbers.POINTS
    for name in ("rows", "looks", "layers", "pictures", "samples", "findings", "words", "runs"):
        assert getattr(numbers, name.upper()) == bounds[name], name


def test_a_run(faulty_run: ss.Run) -> None:
    document = check(faulty_run.document())
    assert document["kind"] == "run"
    assert document["verdict"]["state"] in ("warning", "error")
    finding = document["verdict"]["findings"][0]
    assert finding["evidence"]
    assert finding["remedies"][0]["command"].startswith("sevensteps train")
    assert [panel["name"] for panel in document["steps"]][:2] == ["initialize", "predict"]
    assert document["missing"] == {}
    looks = document["looks"]
    assert len(looks["weights"]["at"]) == len(looks["steps"])
    assert looks["confusion"]["steps"] == looks["steps"]
    worst = document["worst"]
    assert worst[0]["loss"] >= worst[-1]["loss"]
    assert document["chain"]["links"][-1]["running"] is not None
    assert len(document["surface"]["path"]) > 2
    assert any("example" in word for word in document["words"])


def test_the_chain_is_the_gradient(faulty_run: ss.Run) -> None:
    document = faulty_run.document()
    checks = {entry["name"]: entry["value"] for entry in document["chain"]["checks"]}
    assert checks["chain rule"] == pytest.approx(checks["autograd"], rel=1e-5)


def test_the_chain_says_something_and_why(faulty_run: ss.Run) -> None:
    chain = faulty_run.document()["chain"]
    assert all(entry["value"] for entry in chain["checks"])
    assert "chosen because" in chain["sentence"]
    assert chain["parameter"].startswith("layer1.")  # the longest chain that there is


def test_a_chain_of_nothing_says_that_it_is_missing() -> None:
    run = ss.train(
        "iris",
        predict="mlp(4)",
        initialize="zeros()",
        step="sgd(lr=0.1)",
        stop="epochs(1)",
        out=False,
    )
    document = check(run.document())
    assert "chain" not in document
    assert "gradient of every weight is 0" in document["missing"]["chain"]


def test_every_condition_has_a_consequence() -> None:
    assert set(CONSEQUENCES) == set(condition_names())
    for text in CONSEQUENCES.values():
        assert text[0].isupper()
        assert text.endswith(".")


def test_numbers_in_sentences_are_those_of_the_page(faulty_run: ss.Run) -> None:
    document = faulty_run.document()
    texts = [
        document["chain"]["sentence"],
        *document["surface"]["notes"],
        *document["surface"]["names"],
    ]
    texts += [text for panel in document["steps"] for text in panel["did"]]
    texts += [finding["explanation"] for finding in document["verdict"]["findings"]]
    for text in texts:
        assert not re.search(r"\de[-+]?\d", text), text
        assert not re.search(r"(?<![\w.,])-\d", text), text
        assert not re.search(r"\d%", text), text


def test_a_healthy_run(healthy_run: ss.Run) -> None:
    document = check(healthy_run.document())
    assert document["verdict"]["state"] in ("healthy", "info", "unknown", "warning")
    assert document["data"]["classes"][0]["name"] == "setosa"
    assert len(document["repeat"]["facts"]) > 8
    assert "recipe" in document["repeat"]


def test_a_run_whose_data_are_gone(
    hostile_run: ss.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hostile_run.folder is not None
    file = next(hostile_run.folder.parent.glob("*.csv"))
    content = file.read_bytes()
    file.unlink()
    try:
        document = check(folder_document(hostile_run.folder))
    finally:
        file.write_bytes(content)
    assert "data" in document["missing"]
    assert document["data"]["parts"]
    assert document["curves"]


def test_a_watched_training(watched_diagnosis: Diagnosis) -> None:
    document = check(watched_document(watched_diagnosis))
    assert document["kind"] == "watched"
    assert document["verdict"]["findings"][0]["condition"] == "output_loss_mismatch"
    assert document["steps"][4]["value"].startswith("SGD(lr=0.1")
    assert {quantity["id"] for quantity in document["looks"]["quantities"]} >= {
        "signal",
        "gradient",
    }
    assert "surface" in document["missing"]


def test_a_race(race: ss.Race) -> None:
    document = check(race.document())
    assert document["race"]["runs"][0]["name"] == race.table[0].label
    assert document["curves"][0]["spread"]["seeds"] == 2
    assert race.folder is not None
    from_folder = check(race_folder_document(race.folder))
    assert from_folder["curves"] == document["curves"]


def test_a_comparison(healthy_run: ss.Run, faulty_run: ss.Run) -> None:
    document = check(compared_document([str(healthy_run.folder), str(faulty_run.folder)]))
    rows = document["comparison"]["recipe"]
    assert not rows[0]["same"]
    assert rows[-1]["same"]
    assert len(document["comparison"]["documents"]) == 2
    assert len(report_page(document)) < 2 * MAX_BYTES


def test_explanations(faulty_run: ss.Run) -> None:
    explain = faulty_run.explain
    answers = {
        "worst": explain.sample(3),
        "chain": explain.gradient(3, "layer1.weight"),
        "surface": explain.surface(),
        "words": explain.words("loss"),
    }
    for part, answer in answers.items():
        document = explanation_document(answer)
        assert document is not None
        assert check(document)[part]
    assert explanation_document(explain.shapes()) is None


def large_observation() -> Observation:
    """20 layers of 5,000 units, 256 looks, 100,000 steps with one spike."""
    layers = {
        f"layer{i}": LayerFacts(f"layer{i}", "Linear", "weights", -1, None, (f"layer{i}.weight",))
        for i in range(20)
    }
    parameters = {
        f"layer{i}.weight": ParameterFacts(f"layer{i}.weight", (5000, 100), True, 0)
        for i in range(20)
    }
    observation = Observation(NetworkFacts("Net", layers, parameters, ({"lr": 0.1},)))
    losses = torch.linspace(3, 0.1, 100_000, dtype=torch.float64)
    losses[54_321] = 77.0
    observation.record_losses(0, losses)
    observation.steps = 100_000
    ones = torch.ones(5000)
    for number in range(256):
        signal = Signal(ones, ones * number, ones, ones.min(), ones.max(), None, ones / 3)
        change = Change(ones, ones, ones * 1e-3)
        observation.looks.append(
            Look(
                390 * number,
                1.0,
                signals=dict.fromkeys(layers, signal),
                changes=dict.fromkeys(parameters, change),
            )
        )
    return observation


@pytest.mark.long
def test_a_large_training_is_bounded_and_loses_no_spike() -> None:
    observation = large_observation()
    looks = looks_document(observation.looks, observation.facts)
    assert looks is not None
    entry = step_losses(observation)
    assert entry is not None
    assert entry["behind"] == 100_000
    high = numbers.unpack_numbers(entry["range"]["high"])
    steps = numbers.unpack_steps(entry["steps"])
    [place] = [place for place, value in enumerate(high) if value == 77.0]
    assert steps[place] <= 54_321 < steps[place + 1]
    document = {
        "schema": 1,
        "kind": "watched",
        "title": "large",
        "looks": looks,
        "curves": [entry],
    }
    check(document)
    assert len(report_page(document)) < MAX_BYTES
    assert len(looks["steps"]) == 256


def test_a_long_history_keeps_its_spike() -> None:
    points = [(step, 9.0 if step == 70_001 else 1.0) for step in range(100_000)]
    entry = curve("validation loss", "loss", points)
    assert entry["behind"] == 100_000
    high = numbers.unpack_numbers(entry["range"]["high"])
    assert len(high) <= numbers.POINTS
    assert high.count(9.0) == 1


def test_only_losses() -> None:
    observation = Observation(NetworkFacts("Net", {}, {}, ()))
    for step in range(50):
        observation.record_loss(step, 1 / (step + 1))
    observation.steps = 50
    diagnosis = Diagnosis([], Case(observation, None))
    document = check(watched_document(diagnosis))
    assert "looks" not in document
    assert document["missing"]["looks"]
    assert document["curves"][0]["values"]


@pytest.mark.parametrize(
    ("observed", "expected", "limits"),
    [
        (3.6, "below 0.1", [None, 0.1]),
        (0.2, "above 2.3, by guessing", [2.3, None]),
        (5.0, "0.6 to 1.4", [0.6, 1.4]),
        (5.0, "about 1", [0.5, 2.0]),
        ("0.41", "at least 0.9", [0.9, None]),
        (12.0, 2.3, [2.3, 2.3]),
        (0.99, 0.9, [0.9, 0.9]),
        (0.5, "well below 1,200, that at the start", [None, 1200.0]),
    ],
)
def test_observed_beside_expected(observed: Any, expected: Any, limits: list[float | None]) -> None:
    bar = evidence_bar(observed, expected)
    assert bar is not None
    assert bar["expected"] == limits
    assert bar["observed"] == float(observed)


@pytest.mark.parametrize(
    ("observed", "expected"),
    [("2 of 30", "few"), (0.3, "below 20 %"), (True, "below 1"), (None, 1.0), (float("nan"), 2.0)],
)
def test_what_cannot_be_drawn_is_not(observed: Any, expected: Any) -> None:
    assert evidence_bar(observed, expected) is None


def test_a_patch_is_lines_of_code() -> None:
    lines = patch_lines("train.py:3: before `for i in a; b` add `c`; train.py:4: `d` → `e`")
    assert [(line["kind"], line["text"], line["line"]) for line in lines] == [
        ("add", "before `for i in a; b` add `c`", 3),
        ("remove", "d", 4),
        ("add", "e", 4),
    ]


def test_a_loss_at_the_end_says_over_how_many_steps_it_is_the_mean(
    watched_diagnosis: Diagnosis,
) -> None:
    document = check(watched_document(watched_diagnosis))
    [name] = [one["name"] for one in document["figures"] if "at the end" in one["name"]]
    measures = document["verdict"]["findings"][0]["evidence"]
    assert name == "loss at the end, mean over 3 steps"
    [shown] = [one for one in measures if one["measure"] == name]
    [figure] = [one for one in document["figures"] if one["name"] == name]
    assert shown["observed"] == figure["value"]


def test_an_update_ratio_is_that_of_the_whole_layer() -> None:
    parameters = {"layer.weight": ParameterFacts("layer.weight", (2, 1), True, 0)}
    layers = {"layer": LayerFacts("layer", "Linear", "weights", -1, None, ("layer.weight",))}
    weights, update = torch.tensor([3.0, 4.0]), torch.tensor([6.0, 0.0])
    look = Look(0, 1.0, changes={"layer.weight": Change(weights, weights, update)})
    facts = NetworkFacts("Net", layers, parameters, ())
    curve = quantity_curves([look], facts)["update"]["layer"]
    assert curve["values"] == [pytest.approx(6 / 5)]
