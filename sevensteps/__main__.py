"""`python -m sevensteps` is `sevensteps`."""

from sevensteps.cli import main

main()
