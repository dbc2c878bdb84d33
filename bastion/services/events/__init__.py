"""Events: found, explained, judged anew, let go."""
