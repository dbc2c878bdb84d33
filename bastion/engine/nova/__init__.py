"""Rules in the shape of NOVA: keywords, and a condition over which of them a text has.

Keywords run here. What NOVA asks of a model of meaning (``semantics``) or of a language model (``llm``) is kept and
never asked: such a rule matches when its keywords alone make the condition true, whatever a model would say.
"""

from typing import Final

NOVA: Final = "nova"
"""The language of a rule whose pattern is written so."""
