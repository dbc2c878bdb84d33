"""Rule files into the database by a page: first what they would do, then exactly that."""

from http import HTTPStatus
from typing import Any, Final

from flask import Blueprint, current_app, flash, make_response, redirect, render_template, request, url_for
from flask_login import current_user
from itsdangerous import BadSignature, SignatureExpired, URLSafeTimedSerializer
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from bastion.engine.expressions import expressions_of
from bastion.errors import BastionError, Conflict, FieldFault, InvalidInput
from bastion.extensions import db
from bastion.rulefile import NOVA_SUFFIXES, SUFFIXES, Format, Remark, SourceFile, looks_like_nova, read_rule_files
from bastion.services.rules.transfer import Planned, fingerprint, plan_import, store_rules, try_out
from bastion.web.forms import RULE_FIELDS

MAX_BYTES: Final = 4 * 1024 * 1024
"""Of all files together: they come back with the form, half as large again."""

MAX_FILES: Final = 50
MAX_EXPRESSIONS: Final = 2_000
"""That are tried while somebody waits; more of them are for the command."""

MAX_NAME: Final = 100
SHOWN: Final = 200
"""Rules of each sort, and remarks, that the page names."""

SECONDS: Final = 3600
"""For which a preview can be applied."""

_PASTED: Final = {Format.YAML: "pasted.yml", Format.JSONL: "pasted.jsonl"}


def import_rules() -> str | Response:
    """Takes files or a pasted text, and shows what they would do."""
    if request.method == "GET":
        return render_template("rules/import.html", formats=list(Format), suffixes=SUFFIXES, faults=())
    try:
        return _preview(_given())
    except InvalidInput as error:
        page = render_template("rules/import.html", formats=list(Format), suffixes=SUFFIXES, faults=error.faults)
        return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY)


def apply_import() -> Response:
    """Stores what a preview has shown, if it would still do the same."""
    seen = _seen(request.form.get("plan", ""))
    read = read_rule_files(SourceFile(name, text.encode()) for name, text in seen["files"])
    report = store_rules(
        db.session(), read, actor=current_user.name, why=request.form.get("comment"), as_planned=seen["plan"]
    )
    db.session.commit()
    flash(f"{len(report.new):,} new, {len(report.changed):,} changed, {len(report.same):,} the same.", "success")
    return redirect(url_for(".index"))


def _preview(files: list[SourceFile]) -> str | Response:
    read = read_rule_files(files)
    planned = plan_import(db.session(), read)
    faults = list(read.faults) or _tried(planned)
    signed = None
    if not faults and any(one.kind != "same" for one in planned):
        content = [(file.name, file.content.decode("utf-8-sig")) for file in files]
        signed = _signer().dumps({"files": content, "plan": fingerprint(planned), "by": current_user.name})
    page = render_template(
        "rules/import_preview.html",
        planned={kind: [one for one in planned if one.kind == kind] for kind in ("new", "changed", "same")},
        faults=faults,
        notes=read.notes,
        bare=sum(one.lacks_samples for one in planned),
        signed=signed,
        labels=RULE_FIELDS,
        shown=SHOWN,
    )
    return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY) if faults else page


def _tried(planned: list[Planned]) -> list[Remark]:
    changed = [one.spec for one in planned if one.kind != "same"]
    lines = {line for spec in changed for _, line in expressions_of(spec.language, spec.pattern)}
    if len(lines) > MAX_EXPRESSIONS:
        wanted = f"have {len(lines):,} expressions, a page tries {MAX_EXPRESSIONS:,}: use flask rules import"
        raise InvalidInput([FieldFault("files", wanted)])
    return try_out(db.session(), planned)


def _given() -> list[SourceFile]:
    files = [*map(_uploaded, _uploads()), *_pasted()]
    if not files:
        raise InvalidInput([FieldFault("files", "are none: choose some, or paste a text")])
    if sum(len(file.content) for file in files) > MAX_BYTES:
        wanted = f"have more than {MAX_BYTES:,} bytes in all: use flask rules import"
        raise InvalidInput([FieldFault("files", wanted)])
    return files


def _uploads() -> list[FileStorage]:
    given = [one for one in request.files.getlist("files") if one.filename]
    if len(given) > MAX_FILES:
        raise InvalidInput([FieldFault("files", f"are {len(given)}, at most {MAX_FILES} are taken at once")])
    return given


def _uploaded(upload: FileStorage) -> SourceFile:
    name = upload.filename or ""
    if not name.isprintable() or len(name) > MAX_NAME or set(name) & set("/\\:") or name.startswith("."):
        wanted = f"{name[:MAX_NAME]!r} is no plain file name of at most {MAX_NAME} characters"
        raise InvalidInput([FieldFault("files", wanted)])
    if not name.lower().endswith(SUFFIXES):
        raise InvalidInput([FieldFault("files", f"{name!r} is none of {', '.join(SUFFIXES)}")])
    return SourceFile(name, upload.read(MAX_BYTES + 1))


def _pasted() -> list[SourceFile]:
    text = request.form.get("text", "")
    if not text.strip():
        return []
    try:
        form = Format(request.form.get("format", Format.YAML))
    except ValueError:
        raise InvalidInput([FieldFault("format", f"wants one of {', '.join(Format)}")]) from None
    name = f"pasted{NOVA_SUFFIXES[0]}" if looks_like_nova(text) else _PASTED[form]
    return [SourceFile(name, text.replace("\r\n", "\n").encode("utf-8", "surrogatepass"))]


def _seen(signed: str) -> Any:
    """What a preview signed: only what this process's page has tried out is stored."""
    try:
        seen = _signer().loads(signed, max_age=SECONDS)
    except SignatureExpired:
        raise Conflict("the preview is more than an hour old: import the files again") from None
    except BadSignature:
        raise InvalidInput([FieldFault("plan", "is not what the preview sent")]) from None
    if seen["by"] != current_user.name:
        raise Conflict("the preview was shown to somebody else")
    return seen


def _signer() -> URLSafeTimedSerializer:
    if not current_app.secret_key:
        raise BastionError("there is no secret key to sign with")
    return URLSafeTimedSerializer(current_app.secret_key, salt="rules.import")


def add_routes(blueprint: Blueprint) -> None:
    blueprint.route("/import", methods=["GET", "POST"], endpoint="import")(import_rules)
    blueprint.post("/import/apply")(apply_import)
