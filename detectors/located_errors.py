"""What pydantic says of a model, said again in the words of the person who wrote the YAML."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong: the key path, of names and list positions as written, and what to do about it."""

    path: tuple[str | int, ...]
    message: str


def complaints(error: ValidationError, model: type[BaseModel], data: Any) -> list[Complaint]:
    """The errors of `model.model_validate(data)`, each at the key path that is written in `data`."""
    found = [_complaint(detail, model, data) for detail in error.errors(include_url=False)]
    return list(dict.fromkeys(found))


def _complaint(detail: ErrorDetails, model: type[BaseModel], data: Any) -> Complaint:
    last = detail["loc"][-1] if detail["loc"] else ""
    if detail["type"] == "missing":
        path = _written(detail["loc"][:-1], data)
        return Complaint(path, f"the required key '{last}' is missing")
    path = _written(detail["loc"], data)
    if detail["type"] == "extra_forbidden":
        return Complaint(path, _unknown(str(last), _known_keys(model, path[:-1])))
    return Complaint(path, _message(detail))


def _written(loc: Iterable[str | int], data: Any) -> tuple[str | int, ...]:
    """The part of pydantic's location that exists in the data: the names of union members fall out."""
    path: list[str | int] = []
    for part in loc:
        in_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if in_list or (isinstance(data, dict) and part in data):
            data = data[part]
            path.append(part)
    return tuple(path)


def _unknown(key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, n=1, cutoff=0.6)
    if near:
        return f"unknown key '{key}'; did you mean '{near[0]}'?"
    return f"unknown key '{key}'; known here: {', '.join(known)}" if known else f"unknown key '{key}'"


_PLAIN = {
    "string_type": "must be text; put it in quotes",
    "bool_type": "must be true or false",
    "model_type": "must hold `key: value` lines",
    "model_attributes_type": "must hold `key: value` lines",
    "dict_type": "must hold `key: value` lines",
    "list_type": "must be a list, such as [a, b]",
    "tuple_type": "must be a list, such as [a, b]",
    "set_type": "must be a list, such as [a, b]",
    "frozen_set_type": "must be a list, such as [a, b]",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "float_type": "must be a number",
}


def _message(detail: ErrorDetails) -> str:
    if detail["type"] in _PLAIN:
        said = _PLAIN[detail["type"]]
    else:
        said = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        said = said.replace("Input should be", "must be", 1).replace("Tuple should", "the list should", 1)
    value = detail["input"]
    if detail["type"] == "value_error" or not isinstance(value, str | int | float | bool | None):
        return said
    shown = "null" if value is None else repr(value)
    return f"{said} (it is {shown if len(shown) <= 80 else shown[:77] + '...'})"


def _known_keys(model: type[BaseModel], path: Iterable[str | int]) -> list[str]:
    """The keys that `model` knows at this place: of every model that may stand there."""
    here: list[Any] = [model]
    for part in path:
        here = [inner for annotation in here for inner in _inside(annotation, part)]
    models = [annotation for annotation in here if _is_model(annotation)]
    return [field.alias or name for one in models for name, field in one.model_fields.items()]


def _inside(annotation: Any, part: str | int) -> list[Any]:
    """What may stand under the key or list position `part` of a value of this type."""
    if _is_model(annotation):
        fields = annotation.model_fields.items()
        return [kind for name, field in fields if part in (name, field.alias) for kind in _members(field.annotation)]
    arguments = typing.get_args(annotation)
    return _members(arguments[-1 if typing.get_origin(annotation) is dict else 0]) if arguments else []


def _members(annotation: Any) -> list[Any]:
    """The types in a union, without what `Annotated` adds."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _members(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [member for inner in typing.get_args(annotation) for member in _members(inner)]
    return [annotation]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and typing.get_origin(annotation) is None and issubclass(annotation, BaseModel)
