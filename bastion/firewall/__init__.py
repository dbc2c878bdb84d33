"""The hot path: a text in, a verdict decided by the live rules, one event and its triggers stored."""
