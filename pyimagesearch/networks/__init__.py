"""Images come in, embeddings go out: the networks, and what makes them fast."""
