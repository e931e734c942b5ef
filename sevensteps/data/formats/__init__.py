"""What data can be made from: one file for each file format, library or kind of object."""
