"""What ``create_app()`` builds for a process, and how views reach it."""

from dataclasses import dataclass

from flask import current_app

from bastion.compiler.trying import TryingCompiler
from bastion.firewall.analysis import Firewall
from bastion.firewall.vitals import Vitals
from bastion.metrics import Metrics
from bastion.services.audit.log import AuditLog
from bastion.services.events.daily_pruning import DailyPruning
from bastion.services.limits import Limits
from bastion.services.people.accounts import Accounts
from bastion.services.people.ended_sessions import EndedSessions
from bastion.services.people.tokens import Tokens
from bastion.settings import Settings


@dataclass(frozen=True, slots=True)
class Runtime:
    """The parts of one running Bastion."""

    settings: Settings
    firewall: Firewall
    metrics: Metrics
    vitals: Vitals
    pruning: DailyPruning
    trying: TryingCompiler
    accounts: Accounts
    tokens: Tokens
    audit: AuditLog
    limits: Limits
    ended_sessions: EndedSessions


def runtime() -> Runtime:
    """The parts of the application that handles this request or command."""
    parts: Runtime = current_app.extensions["bastion"]
    return parts
