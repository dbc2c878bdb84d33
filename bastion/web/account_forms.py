"""The forms about accounts, passwords and tokens."""

from flask_wtf import FlaskForm
from wtforms import PasswordField, SelectChoice, SelectField, SelectMultipleField, StringField, SubmitField
from wtforms.validators import DataRequired, EqualTo, Length, Optional
from wtforms.widgets import CheckboxInput, ListWidget

from bastion.errors import FieldFault
from bastion.services.people.accounts import Role
from bastion.services.people.passwords import MAX_PASSWORD, MIN_PASSWORD
from bastion.services.people.tokens import Scope

ROLES = [role.value for role in Role]


class _FaultyForm(FlaskForm):  # type: ignore[misc]
    def show_faults(self, faults: tuple[FieldFault, ...]) -> None:
        """Puts what a service refused beside the fields that it refused."""
        for fault in faults:
            field = getattr(self, fault.field, None) or next(iter(self))
            field.errors = [*field.errors, fault.message]


class OwnPasswordForm(_FaultyForm):
    """The password that there is, and the one that is to be."""

    current = PasswordField(
        "Current password", [DataRequired("Enter your current password."), Length(max=MAX_PASSWORD)]
    )
    password = PasswordField(
        "New password",
        [DataRequired("Enter a new password."), Length(max=MAX_PASSWORD)],
        description=f"At least {MIN_PASSWORD} characters; several words are good. Your other sessions end.",
    )
    repeated = PasswordField("New password again", [EqualTo("password", "The two differ.")])
    submit = SubmitField("Change the password")


class AccountForm(_FaultyForm):
    """A new account."""

    name = StringField("Name", [DataRequired("Give the account a name."), Length(max=100)])
    role = SelectField("Role", choices=ROLES)
    submit = SubmitField("Make the account")


class RoleForm(FlaskForm):  # type: ignore[misc]
    """An account's role."""

    role = SelectField("Role", choices=ROLES)


class TokenForm(_FaultyForm):
    """A new token."""

    name = StringField("Name", [DataRequired("Name the application that will use it."), Length(max=100)])
    scopes = SelectMultipleField(
        "May",
        [DataRequired("Choose at least one.")],
        choices=[
            SelectChoice(Scope.ANALYZE.value, "analyze: have texts judged"),
            SelectChoice(Scope.READ.value, "read: rules and events, with their texts"),
            SelectChoice(Scope.WRITE.value, "write: change rules, judge triggers"),
            SelectChoice(Scope.METRICS.value, "metrics: what Prometheus asks for"),
        ],
        default=[Scope.ANALYZE.value],
        widget=ListWidget(prefix_label=False),
        option_widget=CheckboxInput(),
    )
    source = StringField(
        "Source",
        [Optional(), Length(max=100)],
        description="What all of its events name as theirs. Empty: what it sends.",
    )
    expires = StringField(
        "Ends after", [Optional(), Length(max=10)], default="90d", description="Such as 90d or 12h. Empty: never."
    )
    submit = SubmitField("Make the token")
