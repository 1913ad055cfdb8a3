"""A finished run opened again: its model, its features, its predictions."""
