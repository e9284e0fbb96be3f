"""A recipe and image sets come in; a trained encoder and its history go out."""
