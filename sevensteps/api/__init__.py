"""The public functions, one file each: `train`, `resume`, `load`, `race`, and so on."""
