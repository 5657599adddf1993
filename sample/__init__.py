"""Synthetic messages with the published figures of the genuine file: the only Python that knows its fields."""
