"""What every face shows itself with: text, tables, characters, figures."""
