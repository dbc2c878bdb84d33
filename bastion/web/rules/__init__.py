"""Rules: found, looked at, written, compared, changed by the hundred."""

from flask import Blueprint

from bastion.web.rules import bulk, editing, history, listing, one

blueprint = Blueprint("rules", __name__, url_prefix="/rules")

for module in (listing, bulk, editing, one, history):
    module.add_routes(blueprint)
