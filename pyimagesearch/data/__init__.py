"""Files come in; image sets, split and drawn as batches of images or pairs, go out."""
