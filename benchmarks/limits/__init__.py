"""What a training costs beside seconds an epoch, and how its cost grows: a file for each question.

Each has `section(asked)`, which makes its measurements in fresh processes and answers with a
`Section` of the report, and the functions that those processes run."""

# in the order of the report: what `make bench` measures after the speed table, and what
# `make bench-limits` does
SPEED = ("ceilings", "products", "startup", "racing")
COST = ("memory", "growth", "steady", "disk", "saving", "bf16", "busy", "kernels", "mnist99")
NAMES = SPEED + COST
