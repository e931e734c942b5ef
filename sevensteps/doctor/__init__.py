"""Which of the seven steps is to blame, on what evidence, and what to change."""
