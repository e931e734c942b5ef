"""A word of the glossary is a value."""

from sevensteps.explain.words.word import Word


def test_a_word_has_an_example_of_its_own_by_default() -> None:
    assert Word("loss", "short", "A definition.") == Word("loss", "short", "A definition.", (), "")
