"""Everything goes wrong for a while, and at the end every answered event is stored exactly once."""
