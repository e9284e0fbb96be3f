"""Siamese networks with contrastive loss: pairs, networks, losses, thresholds."""
