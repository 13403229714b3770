"""Images to train and to evaluate on."""
