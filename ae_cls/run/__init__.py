"""One run, from its description to its folder, as stages that the store keeps."""
