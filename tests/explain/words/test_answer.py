"""The glossary: every word has a definition, its example is made of this run's numbers, and those
are right.
"""

from __future__ import annotations

import json

import pytest

import sevensteps as ss
from sevensteps.explain.words.answer import find_word, words, words_of_arguments
from sevensteps.explain.words.further_words import FURTHER
from sevensteps.explain.words.glossary import GLOSSARY, LISTED
from sevensteps.record.run_folder import nan_to_null


def test_the_list_is_a_screen(run: ss.Run) -> None:
    found = run.explain.words()
    lines = str(found).splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 50
    assert all(any(line.startswith(word.name) for line in lines) for word in LISTED)
    rest = " ".join(str(found).split("also:")[1].split())
    assert all(word.name in rest for word in FURTHER)
    assert len(found.entries) == len(GLOSSARY)
    json.dumps(nan_to_null(found.to_dict()), allow_nan=False)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Learning Rate", "learning rate"),
        ("lr", "learning rate"),
        ("sgd", "SGD"),
        ("minibatch", "mini-batch"),
        ("mini batch", "mini-batch"),
        ("cross entropy", "cross-entropy"),
        ("gradients", "gradient"),
        ("neuron", "neuron"),
        ("hidden unit", "hidden layer"),
        ("label", "target"),
        ("mse", "mean squared error"),
        ("out_features", "hidden layer"),
        ("Adam", "optimizer"),
    ],
)
def test_spellings(text: str, name: str) -> None:
    assert find_word(text).name == name


def test_an_unknown_word_names_the_nearest(run: ss.Run) -> None:
    with pytest.raises(ss.Error, match="no word 'gradeint'; did you mean 'gradient'"):
        run.explain.words("gradeint")


def test_of_several_words_the_known_ones_are_explained(run: ss.Run) -> None:
    answer = run.explain.words("gradeint", "epoch", "epochs", "giraffe")
    assert [entry.word for entry in answer.entries] == ["epoch"]
    assert "did you mean 'gradient'?" in answer.unknown[0]
    lines = str(answer).splitlines()
    assert lines[0].startswith("epoch: ")
    assert lines[-1].startswith("the glossary has no word 'giraffe'")
    assert words(None, "loss", "giraffe").unknown


@pytest.mark.parametrize("word", ["giraffe", "zebra", "kitchen", "invoice"])
def test_a_word_that_is_near_none_names_no_other(word: str) -> None:
    with pytest.raises(ss.Error, match=f"no word '{word}'; to list its words: sevensteps explain"):
        find_word(word)


@pytest.mark.parametrize(
    ("text", "name"), [("percision", "precision"), ("atention", "attention"), ("sofmax", "softmax")]
)
def test_a_slip_of_the_fingers_is_understood(text: str, name: str) -> None:
    with pytest.raises(ss.Error, match=f"did you mean '{name}'"):
        find_word(text)


def test_without_a_run_there_are_definitions() -> None:
    text = str(words(None, "neuron", "mse"))
    assert text.splitlines()[0].startswith("neuron: A neuron is one unit")
    assert "example" not in text


def test_words_of_a_command_line() -> None:
    assert words_of_arguments(("learning", "rate")) == ("learning rate",)
    assert words_of_arguments(("loss", "metric")) == ("loss", "metric")
    several = ("loss", "learning", "rate", "decay", "giraffe", "batch", "size")
    assert words_of_arguments(several) == ("loss", "learning rate decay", "giraffe", "batch size")
    assert words_of_arguments(()) == ()


def test_there_is_no_picture(run: ss.Run) -> None:
    with pytest.raises(ss.Error, match="there is no picture of it"):
        run.explain.words("loss").plot()
