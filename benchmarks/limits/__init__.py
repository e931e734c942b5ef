"""What a training costs beside seconds an epoch, and how its cost grows: a file for each question.

Each has `section(asked)`, which makes its measurements in fresh processes and answers with a
`Section` of the report, and the functions that those processes run."""

# in the order of the report
NAMES = (
    "ceilings",
    "products",
    "startup",
    "memory",
    "growth",
    "steady",
    "disk",
    "saving",
    "racing",
    "bf16",
    "mnist99",
)
