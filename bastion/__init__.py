"""Bastion: a GenAI firewall whose rules, verdicts and evidence live in SQL."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask


def create_app(**overrides: Any) -> "Flask":
    """The application, built from the environment; ``overrides`` replace single settings by field name.

    Raises:
        SettingsError: when a setting or a file that it names is wrong.
    """
    # Imported here so that importing the package stays cheap for tools that only want a name from it.
    from bastion.app import build_app
    from bastion.settings import load_settings

    return build_app(load_settings(**overrides))
