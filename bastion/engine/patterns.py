"""Why a pattern cannot be used."""


class PatternError(ValueError):
    """A pattern that does not compile or must not be saved: ``line`` and ``column`` count from 1."""

    def __init__(self, line: int, column: int, reason: str) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.line = line
        self.column = column
        self.reason = reason
