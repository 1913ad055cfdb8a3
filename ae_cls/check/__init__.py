"""Everything that can be said of a data set without training: values first, pages last."""
