"""Networks run on images of any size."""
