"""`python -m benchmarks.doctor.field_faults`: how often the doctor names what is wrong with faulty
trainings from the field, and how often it accuses their healthy twins.
"""

from __future__ import annotations

import sys

from benchmarks.doctor.examination import Examination

EXAMINATION = Examination("Faulty trainings from the field", "field_faults")


def main() -> int:
    return EXAMINATION.main(__doc__)


if __name__ == "__main__":
    sys.exit(main())
