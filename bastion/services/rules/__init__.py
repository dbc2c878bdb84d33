"""Rules: written, checked, tried, compared, brought in."""
