"""A data source that is not of the package, for tests/data/test_adding.py."""
