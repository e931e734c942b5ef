"""The cases, a file for each kind."""

from benchmarks.doctor.cases import healthy, published, steps

CASES = {case.name: case for case in (*published.CASES, *steps.CASES, *healthy.CASES)}
