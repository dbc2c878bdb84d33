"""What is installed is all that there is."""

import configparser

from tests.conftest import ROOT


def test_every_package_is_installed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    installed = set(config["options"]["packages"].split()) - {
        "bastion.migrations",
        "bastion.static",
        "bastion.templates",
    }

    there = {".".join(found.parent.relative_to(ROOT).parts) for found in (ROOT / "bastion").rglob("__init__.py")}

    # The shipped rules are data without code.
    assert there | {"bastion.rulepack"} == installed
