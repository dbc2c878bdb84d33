"""Detection: rules and a text in, a verdict out. No Flask, no SQL, no I/O, no global state."""

from bastion.engine.engine import Engine
from bastion.engine.excepting import Origin
from bastion.engine.exceptions import ExceptionKind, RuleException
from bastion.engine.rules import Action, RuleSpec, Severity, Views
from bastion.engine.validators import Validator
from bastion.engine.verdict import Match, PipelineVerdict, RuleFault, Status, Verdict

__all__ = [
    "Action",
    "Engine",
    "ExceptionKind",
    "Match",
    "Origin",
    "PipelineVerdict",
    "RuleException",
    "RuleFault",
    "RuleSpec",
    "Severity",
    "Status",
    "Validator",
    "Verdict",
    "Views",
]
