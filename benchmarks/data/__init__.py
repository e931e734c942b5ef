"""What the package makes of data as people have them."""
