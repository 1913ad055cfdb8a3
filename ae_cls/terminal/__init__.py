"""What people see while a command works: bars, lines, lengths of time. Knows no image."""
