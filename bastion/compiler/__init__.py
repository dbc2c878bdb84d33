"""Patterns compiled outside the processes that serve: within limits of time and memory, and kept on disk."""
