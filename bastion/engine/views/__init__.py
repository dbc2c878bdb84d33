"""What is hidden in a text: from the text as it was sent to the views of it in which a rule may match."""

from bastion.engine.views.disguises import DISGUISES, Disguise
from bastion.engine.views.revealed import Revealed
from bastion.engine.views.uncovering import (
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_VIEWS,
    Uncovering,
    View,
    signs_in,
    uncover,
)

__all__ = [
    "DISGUISES",
    "MAX_CHARACTERS",
    "MAX_DEPTH",
    "MAX_VIEWS",
    "Disguise",
    "Revealed",
    "Uncovering",
    "View",
    "signs_in",
    "uncover",
]
