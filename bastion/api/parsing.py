"""Requests into validated values; every fault names its field."""

import json
from typing import Annotated, Any, TypeVar

from flask import request
from pydantic import AfterValidator, BaseModel, BeforeValidator, StrictBool, StrictInt, StrictStr, ValidationError
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from bastion.errors import FieldFault, InvalidInput

Model = TypeVar("Model", bound=BaseModel)


def body(model: type[Model]) -> Model:
    """The request's JSON body.

    Raises:
        UnsupportedMediaType: when it is not sent as JSON.
        BadRequest: when it is not JSON in UTF-8, saying where.
        InvalidInput: when a field is wrong.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("the body must be JSON: send Content-Type: application/json")
    return _validate(model, _decode(request.get_data(cache=False)))


def query(model: type[Model]) -> Model:
    """The request's query string. Raises ``InvalidInput`` when a parameter is wrong or given twice."""
    if repeated := [name for name, values in request.args.lists() if len(values) > 1]:
        raise InvalidInput([FieldFault(name, "is given twice") for name in repeated])
    return _validate(model, request.args.to_dict())


def _decode(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8 (byte {error.start + 1})") from None
    try:
        # The standard library's decoder keeps lone surrogates, which JSON can carry and attackers send.
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    except ValueError as error:
        raise BadRequest(f"the body has a number that cannot be read: {error}") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _validate(model: type[Model], content: Any) -> Model:
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InvalidInput(
            [
                FieldFault(".".join(map(str, fault["loc"])) or "body", _message(fault["type"], fault["msg"]))
                for fault in error.errors(include_url=False, include_input=False, include_context=False)
            ]
        ) from None


def _message(kind: str, message: str) -> str:
    plain = {"missing": "is missing", "model_type": "must be a JSON object"}
    return plain.get(kind) or message.removeprefix("Value error, ")


def _storable_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be printable characters in a single line")
    return value


def _short(limit: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) > limit:
            raise ValueError(f"has {len(value)} characters, at most {limit} are kept")
        return value

    return AfterValidator(check)


Text = StrictStr
"""Any text, lone surrogates included: pydantic's own length limits would refuse those."""

Label100 = Annotated[StrictStr, AfterValidator(_storable_line), _short(100)]
Label255 = Annotated[StrictStr, AfterValidator(_storable_line), _short(255)]


def _text_or_number(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        # A number of thousands of digits takes seconds to write out.
        if value.bit_length() > 1000:
            raise ValueError("has more digits than are kept")
        return str(value)
    if not isinstance(value, str):
        raise ValueError("must be a text or a whole number")
    return value


TextOrNumber = Annotated[Label255, BeforeValidator(_text_or_number)]
"""AIDR Bastion's clients send task ids of either kind; a number is kept as its digits."""

Flag = StrictBool
Number = StrictInt
