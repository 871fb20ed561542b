"""The forms that values have: as the documentation names them, and as JSON schemas of draft 7."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a value; `kind` is TOML's name of the type."""

    kind: str
    schema: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One key of a table: what its value may be, and what it is for.

    `default` and `description` are Markdown, without links; a description is one plain sentence
    without a full stop. `page` is the page of `docs/` that has more, with a heading if need be.
    """

    key: str
    form: Form
    default: str
    description: str
    page: str = ""


FLAG = Form("boolean", {"type": "boolean"})
TEXT = Form("string", {"type": "string"})
TEXT_NOT_BLANK = Form("string", {"type": "string", "pattern": r"\S"})
STRINGS = Form("array", {"type": "array", "items": TEXT_NOT_BLANK.schema, "uniqueItems": True})
LINE = Form("string", {"type": "string", "pattern": r"^[^\r\n]*\S[^\r\n]*$"})
# A whole number of bytes, or text as `TableReader.size` reads it.
_BYTES = r"^\s*\d+(\.\d+)?\s*(([kKmMgG][iI]?)?[bB])?\s*$"


def text(pattern: str) -> Form:
    """Return the form of a string that matches all of `pattern`."""
    return Form("string", {"type": "string", "pattern": f"^(?:{pattern})$"})


def texts(pattern: str, least: int = 0) -> Form:
    """Return the form of an array of at least `least` strings that match all of `pattern`."""
    items = text(pattern).schema
    schema: dict[str, object] = {"type": "array", "items": items, "uniqueItems": True}
    return Form("array", {**schema, "minItems": least} if least else schema)


def choice(values: Iterable[str]) -> Form:
    """Return the form of a string that is one of `values`."""
    return Form("string", {"type": "string", "enum": [*values]})


def set_of(values: Iterable[str]) -> Form:
    """Return the form of an array of some of `values`, none of them twice."""
    return Form("array", {"type": "array", "items": choice(values).schema, "uniqueItems": True})


def choices(values: Iterable[str]) -> Form:
    """Return the form of an array of at least one of `values`, none of them twice."""
    return Form("array", {**set_of(values).schema, "minItems": 1})


def number(least: int) -> Form:
    """Return the form of a whole number of at least `least`."""
    return Form("integer", {"type": "integer", "minimum": least})


def size(largest: int, least: int = 1) -> Form:
    """Return the form of a size in bytes, a number or a string with a unit."""
    alternatives = [
        {"type": "integer", "minimum": least, "maximum": largest},
        {"type": "string", "pattern": _BYTES},
    ]
    return Form("string or integer", {"anyOf": alternatives})


def either(*forms: Form) -> Form:
    """Return the form of a value that has one of `forms`."""
    kinds = " or ".join(form.kind for form in forms)
    return Form(kinds, {"anyOf": [form.schema for form in forms]})


def table(options: Iterable[Option], required: Collection[str] = ()) -> Form:
    """Return the form of a table with these keys and no others."""
    schema = table_schema(options)
    return Form("table", {**schema, "required": [*required]} if required else schema)


def tables(form: Form, names: str = "") -> Form:
    """Return the form of a table whose values have `form`; `names` is the pattern of its keys."""
    schema: dict[str, object] = {"type": "object", "additionalProperties": form.schema}
    if names:
        schema["propertyNames"] = {"pattern": f"^(?:{names})$"}
    return Form("table of tables" if form.kind == "table" else "table", schema)


def array_of(form: Form) -> Form:
    """Return the form of an array whose items have `form`."""
    return Form(f"array of {form.kind}s", {"type": "array", "items": form.schema})


def table_schema(options: Iterable[Option]) -> dict[str, object]:
    """Return the schema of a table with these options as its only keys."""
    properties = {
        option.key: {"description": option.description.replace("`", ""), **option.form.schema}
        for option in options
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}
