"""The forms. They check shape; what a rule must be is checked where every rule is: ``engine.validation``."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    HiddenField,
    IntegerField,
    PasswordField,
    SelectChoice,
    SelectField,
    StringField,
    SubmitField,
    TextAreaField,
)
from wtforms.validators import DataRequired, Length, Optional
from wtforms.widgets import HiddenInput

from bastion.engine import Action, RuleSpec, Severity, Validator, Views
from bastion.engine.detectors import LANGUAGES
from bastion.engine.validation import MAX_LENGTH, MAX_SAMPLE_CHARACTERS, MAX_TEXT
from bastion.errors import FieldFault
from bastion.firewall.analysis import MAX_PROMPT_BYTES, Direction
from bastion.models import Rule
from bastion.services.people.passwords import MAX_PASSWORD
from bastion.services.rules.comparing import as_text
from bastion.services.rules.history import MAX_COMMENT
from bastion.services.rules.samples import KINDS, join_samples, split_samples


def _lines(text: str | None) -> tuple[str, ...]:
    """The lines of a text box, as they were typed but without the empty ones."""
    return tuple(line.strip() for line in (text or "").replace("\r\n", "\n").split("\n") if line.strip())


class LoginForm(FlaskForm):  # type: ignore[misc]
    """Name and password."""

    name = StringField("Name", [DataRequired("Enter your account's name."), Length(max=100)])
    password = PasswordField("Password", [DataRequired("Enter your password."), Length(max=MAX_PASSWORD)])
    next = HiddenField(validators=[Length(max=2000)])
    submit = SubmitField("Log in")


class RuleForm(FlaskForm):  # type: ignore[misc]
    """A rule's content, and the version that the edit began with."""

    name = StringField("Name", [DataRequired("Give the rule a name."), Length(max=MAX_LENGTH["name"])])
    details = TextAreaField(
        "Details",
        [DataRequired("Say what the rule detects."), Length(max=MAX_TEXT)],
        description="What it detects and why that matters, for whoever judges its matches.",
    )
    language = SelectField("Language", choices=list(LANGUAGES))
    pattern = TextAreaField(
        "Pattern",
        [DataRequired("Enter at least one regular expression."), Length(max=MAX_TEXT)],
        description="One regular expression a line; the rule matches when any of them does. "
        "Write (?i) first to ignore case. In the language nova: sections keywords: and condition:.",
    )
    action = SelectField("Action", choices=[one.value for one in Action])
    severity = SelectField(
        "Severity", choices=[SelectChoice("", "not set"), *(SelectChoice(one.value) for one in Severity)]
    )
    views = SelectField(
        "Views",
        choices=[one.value for one in Views],
        default=Views.ALL.value,
        description="all: the text as sent and every normalised or decoded form of it. raw: only the text as sent, for "
        "a pattern of the disguise itself, such as zero-width characters or a run of base64.",
    )
    validator = SelectField(
        "Validator",
        choices=[SelectChoice("", "none"), *(SelectChoice(one.value) for one in Validator)],
        default="",
        description="A check that what the pattern matched must pass to count, such as luhn for card numbers.",
    )
    category = StringField("Category", [Optional(), Length(max=MAX_LENGTH["category"])])
    cwe_id = StringField("CWE", [Optional(), Length(max=MAX_LENGTH["cwe_id"])], description="Such as CWE-94.")
    author = StringField("Author", [Optional(), Length(max=MAX_LENGTH["author"])])
    tags = TextAreaField("Tags", [Optional(), Length(max=MAX_TEXT)], description="One a line, such as LLM01:2025.")
    references = TextAreaField("References", [Optional(), Length(max=MAX_TEXT)], description="One address a line.")
    false_positives = TextAreaField(
        "Known false positives", [Optional(), Length(max=MAX_TEXT)], description="One a line."
    )
    enabled = BooleanField("Enabled", default=True)
    comment = StringField(
        "Why", [Optional(), Length(max=MAX_COMMENT)], description="For the rule's history: what changes, and for what."
    )
    must_match = TextAreaField(
        "Texts that must match",
        [Optional(), Length(max=2 * MAX_SAMPLE_CHARACTERS)],
        description="One a line; or texts of several lines with a line of --- after each. They are kept with the rule "
        "and tried whenever it is saved.",
    )
    must_not_match = TextAreaField(
        "Texts that must not match",
        [Optional(), Length(max=2 * MAX_SAMPLE_CHARACTERS)],
        description="Such as harmless texts that come near it. A rule that blocks wants one of each kind.",
    )
    version = IntegerField(widget=HiddenInput(), validators=[Optional()])
    submit = SubmitField("Save")
    check = SubmitField("Check")

    _kept: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """The samples of the rule that the form shows."""

    @classmethod
    def of(cls, rule: Rule) -> "RuleForm":
        """A form that shows a stored rule; what is submitted replaces it."""
        content = {name: getattr(rule, name) for name in RuleSpec.__slots__}
        for name in ("severity", "validator"):
            content[name] = content[name] or ""
        for name in ("tags", "references", "false_positives"):
            content[name] = "\n".join(content[name])
        kept = {name: content[name] for name in KINDS}
        content |= {name: join_samples(texts) for name, texts in kept.items()}
        form = cls(data=content)
        form._kept = kept
        return form

    def content(self) -> dict[str, Any]:
        """The fields as ``RuleSpec`` takes them."""
        return {
            "name": (self.name.data or "").strip(),
            "details": (self.details.data or "").replace("\r\n", "\n").strip(),
            "language": self.language.data,
            "pattern": (self.pattern.data or "").replace("\r\n", "\n").strip("\n"),
            "action": Action(self.action.data),
            "severity": Severity(self.severity.data) if self.severity.data else None,
            "views": Views(self.views.data),
            "validator": Validator(self.validator.data) if self.validator.data else None,
            "category": (self.category.data or "").strip() or None,
            "cwe_id": (self.cwe_id.data or "").strip() or None,
            "author": (self.author.data or "").strip() or None,
            "tags": _lines(self.tags.data),
            "references": _lines(self.references.data),
            "false_positives": _lines(self.false_positives.data),
            "enabled": self.enabled.data,
            **{name: self._samples(name) for name in KINDS},
        }

    def _samples(self, name: str) -> tuple[str, ...]:
        """The texts of a box; those that are stored while nobody has touched it, since a box cannot show every text."""
        written = split_samples(self[name].data or "")
        kept = self._kept.get(name, ())
        return kept if written == split_samples(join_samples(kept)) else tuple(written)

    def take(self, name: str, value: Any) -> None:
        """Shows a value of a rule in place of what was submitted."""
        self[name].raw_data = None
        self[name].data = value if isinstance(value, bool) else box_text(name, value)

    def show_faults(self, faults: tuple[FieldFault, ...]) -> None:
        """Puts what the engine refused beside the fields that it refused."""
        for fault in faults:
            field = self[field_name(fault.field)]
            field.errors = [*field.errors, fault.message]


RULE_FIELDS: Final = {
    "name": "Name",
    "details": "Details",
    "language": "Language",
    "pattern": "Pattern",
    "action": "Action",
    "severity": "Severity",
    "views": "Views",
    "validator": "Validator",
    "category": "Category",
    "cwe_id": "CWE",
    "author": "Author",
    "tags": "Tags",
    "references": "References",
    "false_positives": "Known false positives",
    "enabled": "Enabled",
    "must_match": "Texts that must match",
    "must_not_match": "Texts that must not match",
    "exceptions": "Exceptions",
    "archived": "Archived",
}
"""A rule's fields as pages call them."""


def box_text(name: str, value: Any) -> str:
    """A field's value as its box has it."""
    return join_samples(value or ()) if name in KINDS else as_text(value)


def field_name(fault: str) -> str:
    """The field of the rule form that a fault is told at."""
    name = "must_match" if fault == "samples" else fault.removeprefix("samples.")
    return name if name in RULE_FIELDS and hasattr(RuleForm, name) else "name"


class DeleteForm(FlaskForm):  # type: ignore[misc]
    """The number of triggers that its reader was told would go too."""

    triggers = IntegerField(widget=HiddenInput())
    submit = SubmitField("Delete for good")


class PlaygroundForm(FlaskForm):  # type: ignore[misc]
    """A text to try the rules on."""

    prompt = TextAreaField("Text", [Length(max=MAX_PROMPT_BYTES)])
    flow = SelectField("Flow", validate_choice=False)
    direction = SelectField("Direction", choices=[one.value for one in Direction])
    record = BooleanField("Record it as an event")
    submit = SubmitField("Analyse")
