"""How good the answers are: metrics with intervals, in pure NumPy and as plain JSON values."""
