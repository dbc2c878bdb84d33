"""Requests into validated values; every fault names its field."""

import json
from typing import Annotated, Any, Final, TypeVar

from flask import request
from pydantic import AfterValidator, BaseModel, BeforeValidator, StrictBool, StrictInt, StrictStr, ValidationError
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from bastion.errors import FieldFault, InvalidInput

Model = TypeVar("Model", bound=BaseModel)

MAX_DEPTH: Final = 32
"""How deep a body may be nested: nothing that the API takes has more than three levels."""


def body(model: type[Model]) -> Model:
    """The request's JSON body.

    Raises:
        UnsupportedMediaType: when it is not sent as JSON.
        BadRequest: when it is not JSON in UTF-8, saying where.
        InvalidInput: when a field is wrong.
    """
    # Nearly every client sends it just so, and to take it apart costs as much as to read the body.
    if request.environ.get("CONTENT_TYPE") != "application/json" and request.mimetype != "application/json":
        raise UnsupportedMediaType("the body must be JSON: send Content-Type: application/json")
    return validate(model, decode(request.get_data(cache=False)))


def query(model: type[Model]) -> Model:
    """The request's query string. Raises ``InvalidInput`` when a parameter is wrong or given twice."""
    if repeated := [name for name, values in request.args.lists() if len(values) > 1]:
        raise InvalidInput([FieldFault(name, "is given twice") for name in repeated])
    return validate(model, request.args.to_dict())


def decode(raw: bytes) -> Any:
    """The body of a request as JSON has it; raises ``BadRequest``."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(f"the body is not UTF-8 (byte {error.start + 1})") from None
    try:
        # The standard library's decoder keeps lone surrogates, which JSON can carry and attackers send.
        content = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise BadRequest("the body is nested too deeply") from None
    except ValueError as error:
        raise BadRequest(f"the body has a number that cannot be read: {error}") from None
    if _is_deep(content):
        raise BadRequest("the body is nested too deeply")
    return content


def _is_deep(content: Any) -> bool:
    """Whether lists and objects stand in each other more than ``MAX_DEPTH`` deep; looks at each level at once."""
    level = [content]
    for _ in range(MAX_DEPTH + 1):
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        level = [one for one in inner if isinstance(one, dict | list)]
        if not level:
            return False
    return True


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)


def validate(model: type[Model], content: Any, place: str = "") -> Model:
    """The content as the model has it; raises ``InvalidInput``, whose fields begin with the place."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InvalidInput(
            [
                FieldFault(
                    ".".join(map(str, (*filter(None, [place]), *fault["loc"]))) or "body",
                    _message(fault["type"], fault["msg"]),
                )
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
