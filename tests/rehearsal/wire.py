"""The wire lane's rule: what a client sent and a stand-in answered is held against the platform's own OpenAPI document.

The documents are no part of the checkout: `TOCSIN_PLATFORM_DOCS` names their folder, by default `../shared/platforms` beside the
checkout. Without them the lane is skipped, and under `CI` it fails. Where a document is known to be wrong (its README), the test
says so and picks the schema by hand.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator, OAS31Validator, oas30_format_checker, oas31_format_checker

from app.rehearsal.stand_ins.stand_in import Entry

JSON_TYPES = ("application/json", "application/problem+json")
FORM = "application/x-www-form-urlencoded"


def documents() -> Path:
    """The folder of the documents. Skips the test where it is missing, fails it under `CI`."""
    named = os.environ.get("TOCSIN_PLATFORM_DOCS")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "platforms"
    if not folder.is_dir():
        why = f"no platform documents at {folder}: set TOCSIN_PLATFORM_DOCS"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    return folder


def captured(library: str) -> list[dict[str, Any]]:
    """The requests that a client library was once recorded to send: method, path, headers, body."""
    requests: list[dict[str, Any]] = json.loads((documents() / "captured" / f"{library}.json").read_text("utf-8"))["requests"]
    return requests


@cache
def _load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return document


def document(name: str) -> Document:
    """`name` without `.openapi.json`."""
    return Document(_load(documents() / f"{name}.openapi.json"))


@dataclass(frozen=True)
class Operation:
    """One method of one path, with the path's own parameters filled in."""

    path: str
    spec: Mapping[str, Any]
    in_path: Mapping[str, str]


@dataclass(frozen=True)
class Document:
    """An OpenAPI 3.0 or 3.1 document that checks requests and answers. Every check returns what is wrong, empty if nothing is."""

    spec: Mapping[str, Any]

    def operation(self, method: str, path: str) -> Operation:
        """The operation of a request; a literal path wins over a pattern. Raises `LookupError` where the document has none."""
        for template in sorted(self.spec["paths"], key=lambda one: one.count("{")):
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
            match = re.fullmatch(pattern, path)
            if match and method.lower() in self.spec["paths"][template]:
                filled = {name: unquote(value) for name, value in match.groupdict().items()}
                return Operation(template, self.spec["paths"][template][method.lower()], filled)
        raise LookupError(f"the document has no {method} {path}")

    def check_query(self, method: str, target: str) -> list[str]:
        """The path's and the query's parameters, unknown ones included."""
        url = urlsplit(target)
        operation = self.operation(method, url.path)
        given = dict(parse_qsl(url.query, keep_blank_values=True))
        known = {(one["in"], one["name"]): one for one in map(self._resolved, operation.spec.get("parameters", []))}
        wrong = [f"unknown parameter {name}" for name in given if ("query", name) not in known]
        for (where, name), parameter in known.items():
            value = {"path": operation.in_path, "query": given}.get(where, {}).get(name)
            if value is not None:
                wrong += self.check(_typed(value, self._resolved(parameter["schema"])), parameter["schema"], writing=True)
            elif parameter.get("required") and where in {"path", "query"}:
                wrong.append(f"parameter {name} is missing")
        return wrong

    def check_body(self, method: str, target: str, content_type: str, body: bytes) -> list[str]:
        """The body of a request: JSON, or a form whose values are text."""
        media = self._resolved(self.operation(method, urlsplit(target).path).spec.get("requestBody", {})).get("content", {})
        kind = content_type.partition(";")[0].strip()
        if not media:
            return [] if not body else ["a body where the document has none"]
        if kind not in media:
            return [f"content type {kind!r}, not one of {sorted(media)}"]
        value = dict(parse_qsl(body.decode(), keep_blank_values=True)) if kind == FORM else json.loads(body)
        return self.check(value, media[kind]["schema"], writing=True)

    def check_answer(self, method: str, target: str, status: int, content_type: str, body: bytes) -> list[str]:
        """Status, content type and body of an answer."""
        responses = self.operation(method, urlsplit(target).path).spec["responses"]
        response = next((responses[key] for key in (str(status), f"{status // 100}XX", "default") if key in responses), None)
        if response is None:
            return [f"the document has no answer {status}"]
        media = self._resolved(response).get("content", {})
        kind = content_type.partition(";")[0].strip()
        if not media:
            return []
        if kind not in media:
            return [f"content type {kind!r}, not one of {sorted(media)}"]
        value = json.loads(body) if kind in JSON_TYPES else body.decode()
        return self.check(value, media[kind].get("schema", {}))

    def check(self, value: object, schema: Mapping[str, Any], writing: bool = False) -> list[str]:
        """A value against a schema of this document (`{"$ref": "#/components/schemas/…"}` too)."""
        whole = {**schema, "components": self.spec.get("components", {})}
        if str(self.spec["openapi"]).startswith("3.0"):
            kind = OAS30WriteValidator if writing else OAS30ReadValidator
            validator = kind({"allOf": [schema], "components": whole["components"]}, format_checker=oas30_format_checker)
        else:
            validator = OAS31Validator(whole, format_checker=oas31_format_checker)
        return [f"{error.json_path}: {error.message[:300]}" for error in validator.iter_errors(value)]

    def _resolved(self, one: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in one:
            found: Any = self.spec
            for step in one["$ref"].removeprefix("#/").split("/"):
                found = found[step.replace("~1", "/").replace("~0", "~")]
            one = found
        return one


def requests_in(log: list[Entry], prefix: str = "/") -> Iterator[Entry]:
    """The entries whose answer left whole and whose path begins so."""
    return (entry for entry in log if entry.status and entry.path.startswith(prefix))


def _typed(value: str, schema: Mapping[str, Any]) -> object:
    """A parameter's text as the type that its schema wants; arrays are joined by commas (`explode: false`)."""
    kind = schema.get("type")
    if kind == "array":
        return [_typed(one, schema.get("items", {})) for one in value.split(",")]
    if kind in ("integer", "number") and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value) if "." in value else int(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    return value
