"""What a training costs beside seconds an epoch, and how its cost grows: a file for each question.

Each has `section(asked)`, which makes its measurements in fresh processes and answers with a
`Section` of the report, and the functions that those processes run."""
