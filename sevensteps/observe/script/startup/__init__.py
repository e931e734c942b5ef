"""The folder that a watched script's Python finds on its path when it starts."""
