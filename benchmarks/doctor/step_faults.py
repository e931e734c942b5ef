"""`python -m benchmarks.doctor.step_faults`: how often the doctor names what is wrong with
dense and convolutional networks, step by step, and how often it accuses their healthy twins.
"""

from __future__ import annotations

import sys

from benchmarks.doctor.examination import Examination

EXAMINATION = Examination("Faults of the seven steps", "step_faults")


def main() -> int:
    return EXAMINATION.main(__doc__)


if __name__ == "__main__":
    sys.exit(main())
