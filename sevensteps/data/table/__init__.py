"""Tables: typed cells, columns and how they become numbers."""
