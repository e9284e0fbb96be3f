"""A trained encoder comes in; a SavedModel and the answers to questions about images go out."""
