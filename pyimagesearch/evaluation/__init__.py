"""Embeddings come in; thresholds, figures with their intervals, reports and pictures go out."""
