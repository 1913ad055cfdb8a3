"""Files that strangers wrote: finding, decoding, reading them."""
