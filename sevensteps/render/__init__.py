"""Text and figures: wrapped lines, pictures and curves in block characters, matplotlib's files."""
