"""Triggers: found and judged."""
