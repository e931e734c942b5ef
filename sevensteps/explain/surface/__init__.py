"""The loss surface where the training ended."""
