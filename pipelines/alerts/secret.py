"""Secrets by reference: settings say where a secret lies (`env:NAME`, `file:PATH`), never what it is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from pipelines.alerts.destination import Unusable


def _is_reference(value: str, info: ValidationInfo) -> str:
    kind, _, rest = value.partition(":")
    if kind not in {"env", "file"} or not rest:
        # The value may be a secret, so the message does not repeat it.
        raise ValueError("must be a reference, env:NAME or file:PATH; a secret is never written into the configuration")
    if kind == "file" and info.context and "folder" in info.context:
        return f"file:{Path(info.context['folder'], rest)}"
    return value


Reference = Annotated[str, AfterValidator(_is_reference)]
"""`env:NAME` or `file:PATH`; a path is relative to the folder in the validation context, if there is one."""


def resolve(reference: str) -> str:
    """The secret that a reference leads to, without surrounding white space. Raises `Unusable`."""
    kind, _, rest = reference.partition(":")
    if kind == "env":
        value = os.environ.get(rest, "")
    else:
        try:
            value = Path(rest).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise Unusable(f"the secret's file {rest} cannot be read: {why}") from None
    if not value.strip():
        place = f"the environment variable {rest}" if kind == "env" else f"the file {rest}"
        raise Unusable(f"there is no secret in {place}; put it there and deliver again")
    return value.strip()
