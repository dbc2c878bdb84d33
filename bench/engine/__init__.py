"""What detection costs: ``make bench-engine``."""
