"""Texts of a mebibyte, and expressions that never end on theirs."""

import base64
import random
import statistics
import time
from collections.abc import Mapping
from typing import Final

from bastion.engine import Action, Engine, RuleSpec, Verdict
from bench.engine.building import CANARY, MIB, Built
from bench.engine.report import Report, progress, say
from bench.realistic_prompts import (
    CHINESE,
    EMOJI,
    ENGLISH,
    RUSSIAN,
    prose,
    written,
)

CANARY_PATTERN: Final = r"(?i)\bignore\s+all\s+previous\s+instructions\b"
BOMBS: Final = {
    r"(a+)+$": "a" * 50_000 + "!",
    r"(x+x+)+y": "x" * 50_000,
    r"(\w+\s?)*$": "word " * 10_000 + "!",
    # Saving refuses the one above, which matches the empty text; this is its nearest that is accepted.
    r"(\w+\s?)+$": "word " * 10_000 + "!",
    # No prefilter sees what must follow, so this one is searched for until its time is up.
    r"(z+)+(?=b)": "z" * 50_000 + "!",
}


def scan_long_texts(built: Built, report: Report) -> None:
    print(f"\ntexts of 1 MiB, {len(built.rules):,} rules (median of up to 3)")
    print(f"{'text':20} {'ms':>9} {'matches':>8} {'late':>6}")
    with progress("1 MiB", 4) as advance:
        for name, text in long_texts().items():
            taken: list[float] = []
            while len(taken) < 3 and sum(taken) < 3:
                begun = time.perf_counter()
                verdict = built.engine.scan(text)
                taken.append(time.perf_counter() - begun)
            advance(1)
            milliseconds = statistics.median(taken) * 1000
            say(f"{name:20} {milliseconds:9.1f} {len(verdict.matches):8} {len(verdict.faults):6}")
            report.add(f"scan of 1 MiB, {name}, {len(built.rules)} rules", milliseconds, "ms")


def long_texts() -> dict[str, str]:
    dice = random.Random(1)
    plain = written(prose, ENGLISH, MIB, dice)
    encoded = base64.b64encode(plain.encode())[:MIB].decode()
    beyond_ascii = "".join(written(prose, voice, MIB // 4, dice) for voice in (RUSSIAN, CHINESE, EMOJI, RUSSIAN))
    # What begins as attacks do, over and over, and never ends as they do; and long runs of what may repeat.
    pieces = (
        *("ignore all the ", "you are now a a a ", "show me your ", "' or '", "{{{{ ", "<img <img ", "../../", "curl "),
        *("i.g.n.o.", "\t \t \t ", "aaaaaaaa", "%2e%2e", "&#105;", "-----BEGIN ", "sk-sk-sk-", "4111 1111 "),
    )
    hostile = "".join(piece * (MIB // len(pieces) // len(piece)) for piece in pieces)
    return {"plain prose": plain, "base64": encoded, "beyond ASCII": beyond_ascii, "hostile": hostile}


def defuse(ordinary: list[RuleSpec], report: Report) -> None:
    """Catastrophic expressions on the text that each is worst at, among rules that have something to find there."""
    ordinary = [*ordinary, _rule("canary", CANARY_PATTERN)]
    bombs = [_rule(pattern, pattern) for pattern in BOMBS]
    alone, mined = Engine(ordinary), Engine([*ordinary, *bombs])
    refused = {fault.rule.pattern: fault.reason for fault in mined.rejected}
    print(f"\ncatastrophic expressions on 50 KB, among {len(ordinary)} ordinary rules")
    print(f"{'expression':14} {'seconds':>8} {'without':>8} {'ordinary rules':>15}  outcome")
    for bomb in bombs:
        text = CANARY + BOMBS[bomb.pattern]
        expected, without = _timed(alone, text)
        verdict, seconds = _timed(mined, text)
        usual = {match.rule for match in expected.matches}
        answering = len(usual & {match.rule for match in verdict.matches})
        print(
            f"{bomb.pattern:14} {seconds:8.3f} {without:8.3f} {f'{answering} of {len(usual)}':>15}  "
            f"{_outcome(bomb, verdict, refused)}"
        )
        report.add(f"scan with {bomb.pattern} on 50 KB", seconds, "s", ("without it", without))


def _timed(engine: Engine, text: str) -> tuple[Verdict, float]:
    begun = time.perf_counter()
    verdict = engine.scan(text)
    return verdict, time.perf_counter() - begun


def _outcome(bomb: RuleSpec, verdict: Verdict, refused: Mapping[str, str]) -> str:
    if bomb.pattern in refused:
        return f"refused: {refused[bomb.pattern]}"
    if any(match.rule == bomb for match in verdict.matches):
        return "matched"
    return next((fault.reason for fault in verdict.faults if fault.rule == bomb), "no match")


def _rule(name: str, pattern: str) -> RuleSpec:
    return RuleSpec(uuid=name, name=name, details="Of bench.engine.", pattern=pattern, action=Action.NOTIFY)
