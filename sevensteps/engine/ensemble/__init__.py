"""K networks of the same shapes trained at once: one more axis in front of every tensor."""
