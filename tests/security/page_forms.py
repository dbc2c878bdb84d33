"""The forms that pages have, read from their HTML, so that a new one cannot be forgotten."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Field:
    """A control, with the values that its page offers."""

    name: str
    values: list[str] = field(default_factory=list)
    file: bool = False


@dataclass
class Form:
    """What a browser would send, and to where."""

    method: str
    action: str
    fields: list[Field] = field(default_factory=list)
    identity: str | None = None


class _Reader(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._page = page
        self._open: Form | None = None
        self._last: Field | None = None
        self._text = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(given.get("method", "get").upper(), given.get("action") or self._page)
            self._open.identity = given.get("id")
            self.forms.append(self._open)
            if "data-check" in given:
                self.forms.append(Form("POST", given["data-check"], self._open.fields))
        elif tag == "option" and self._last:
            self._last.values.append(given.get("value", ""))
        elif tag in ("input", "select", "textarea", "button"):
            self._control(tag, given)

    def _control(self, tag: str, given: dict[str, str]) -> None:
        named = given.get("form")
        form = next((one for one in self.forms if one.identity == named), None) if named else self._open
        if form is None:
            return
        if "name" in given:
            self._last = next((one for one in form.fields if one.name == given["name"]), None)
            if self._last is None:
                self._last = Field(given["name"], file=given.get("type") == "file")
                form.fields.append(self._last)
            if tag != "select":
                self._last.values.append(given.get("value", ""))
            self._text = tag == "textarea"
        if "formaction" in given:
            self.forms.append(Form(form.method, given["formaction"], form.fields))

    def handle_data(self, data: str) -> None:
        if self._text and self._last:
            self._last.values.append(data.removeprefix("\n"))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        if tag == "textarea":
            self._text = False


def forms_of(html: str, page: str) -> Iterator[Form]:
    """The forms of a page at that address; those that only scripts use are left out."""
    reader = _Reader(page)
    reader.feed(html)
    return (form for form in reader.forms if form.method in ("GET", "POST"))
