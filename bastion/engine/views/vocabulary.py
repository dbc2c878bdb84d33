"""The words of which attacks on language models and ordinary sentences are made."""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Final

_FUNCTION_WORDS: Final = """
    a about after again all also am an and any are as at be because been before but by can could do does don done
    each else even every for from get give go had has have he her here him his how i if in into is it its just
    know like made make may me more most must my need never no not now of off on once one only or other our out
    over own please same say she should so some such take than that the their them then there these they thing
    this those through time to too under until up us use very want was way we well were what when where which
    while who why will with without word words would write yes you your yourself
"""

_TELLING_WORDS: Final = """
    above access account act admin administrator answer anything api assistant attack bank behave bomb bypass call
    chat code command comply confidential configuration content context conversation credentials credit data
    database decode delete details developer disable disclose discard display disregard document download dump
    earlier email encode everything evil execute exfiltrate expose fetch file filter filters first follow following
    forget forward free full god guardrails guidelines hack harmful hidden hypothetical ignore ignored important
    information initial inject input instead instruction instructions internal jailbreak jailbroken key keys
    language last leak limits link list malicious malware memory message messages mode model neglect new next
    nothing obey omit original output override password passwords permission permissions persona policies policy
    pretend previous print prior private prompt prompts query question read regardless remember remove repeat reply
    reset respond response restrictions return reveal role roleplay root rule rules run safety script search secret
    secrets security send sensitive server session shell show skip start steal stop system tell text token tokens
    told tool tools translate unfiltered unlimited unlock unrestricted url user users verbatim virus weapon website
"""

_WORDS_OF_OTHER_LANGUAGES: Final = """
    ignora ignorar instrucciones anteriores todas contrasena ignorez toutes precedentes passe ignoriere ignorieren
    anweisungen vorherigen alle passwort istruzioni precedenti tutte instrucoes senha
"""

VOCABULARY: Final = frozenset(_FUNCTION_WORDS.split() + _TELLING_WORDS.split())

_TELLING_ANYWHERE: Final = frozenset(word for word in VOCABULARY if len(word) > 2).union(
    _WORDS_OF_OTHER_LANGUAGES.split()
)


def telling_forms(disguised: Callable[[str], Collection[str]], but_for: str) -> frozenset[str]:
    """How the words of three letters and more look in a disguise, less those of ``but_for``, which mean something."""
    return frozenset(form for word in _TELLING_ANYWHERE for form in disguised(word)).difference(but_for.split())


def any_of(words: Collection[str]) -> str:
    """An expression that matches each of the words and nothing else, and shares what they begin with."""
    by_letter: dict[str, set[str]] = defaultdict(set)
    for word in words:
        by_letter[word[:1]].add(word[1:])
    optional = by_letter.pop("", None) is not None
    branches = [_literal(letter) + any_of(rest) for letter, rest in sorted(by_letter.items())]
    if not branches:
        return ""
    if len(branches) == 1 and not optional:
        return branches[0]
    return f"(?:{'|'.join(branches)}){'?' * optional}"


def _literal(character: str) -> str:
    return character if character.isalnum() else f"[{character}]"
