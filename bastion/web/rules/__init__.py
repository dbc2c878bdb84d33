"""Rules: found, looked at, written, compared, changed by the hundred."""

from flask import Blueprint

from bastion.web.rules import backtest, bulk, editing, exceptions, history, importing, listing, one, rollout

blueprint = Blueprint("rules", __name__, url_prefix="/rules")

for module in (listing, bulk, importing, editing, one, history, exceptions, rollout, backtest):
    module.add_routes(blueprint)
