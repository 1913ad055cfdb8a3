"""Pages complete in themselves: one HTML file, no script, nothing loaded from elsewhere."""
