"""Problem details (RFC 9457): every refusal says what is wrong and what to do; nothing internal is told."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from app.services.context import Refused
from app.services.verification import NotApproved
from app.store.tables import DamagedRow

log = structlog.get_logger(__name__)

CallNext = Callable[[Request], Awaitable[Response]]

MEDIA_TYPE = "application/problem+json"


PROBLEM = {
    "type": "object",
    "required": ["type", "status", "title", "detail"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "title": {"type": "string", "description": "What is wrong"},
        "detail": {"type": "string", "description": "What to do"},
        "errors": {
            "type": "array",
            "description": "Every field that is wrong",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
DOCUMENTED: dict[int | str, dict[str, Any]] = {
    kind: {"description": told, "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
    for kind, told in {
        "4XX": "Nothing was done: what is wrong, and what to do",
        "5XX": "It is not known whether it was done: send the same request again, with its Idempotency-Key",
    }.items()
}
"""What the description of the API says of every route's refusals."""


class Barred(Refused):
    """A refusal of who calls, with the headers that go with it."""

    def __init__(self, status: int, title: str, detail: str, headers: dict[str, str]) -> None:
        super().__init__(status, title, detail)
        self.headers = headers


def problem(
    status: int, title: str, detail: str = "", errors: Sequence[dict[str, str]] = (), headers: dict[str, str] | None = None
) -> Response:
    """A problem document; `errors` lists every wrong field as `{"field", "message"}`."""
    body: dict[str, Any] = {"type": "about:blank", "status": status, "title": title, "detail": detail}
    if errors:
        body["errors"] = list(errors)
    return Response(json.dumps(body), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Turns every error of the application into a problem document."""

    @app.exception_handler(Refused)
    async def _refused(_request: Request, error: Refused) -> Response:
        return problem(error.status, error.title, error.detail, error.errors, error.headers if isinstance(error, Barred) else None)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> Response:
        errors = [{"field": _field(e["loc"]), "message": _message(e)} for e in error.errors()]
        return problem(422, "Some fields are wrong.", "Mend every field listed in `errors`; nothing was accepted.", errors)

    @app.exception_handler(DamagedRow)
    @app.exception_handler(NotApproved)
    async def _changed(_request: Request, error: Exception) -> Response:
        return problem(409, "What is stored is not what was submitted.", f"{error} Nothing of it is sent. Submit it anew.")

    @app.exception_handler(OperationalError)
    async def _unstored(_request: Request, error: OperationalError) -> Response:
        log.error("database-failed", problem=str(error.orig))
        detail = "The database cannot be written; perhaps its disk is full. Mend that and send the same request again."
        return problem(503, "Nothing was accepted.", detail, headers={"Retry-After": "5"})

    @app.exception_handler(TimeoutError)
    async def _silent(_request: Request, error: Exception) -> Response:
        log.error("database-silent", problem=str(error))
        detail = "Whether it was accepted is not known. Send the same request again, with the same Idempotency-Key."
        return problem(503, "The database does not answer.", detail, headers={"Retry-After": "5"})

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def _unforeseen(request: Request, error: Exception) -> Response:
        log.error("request-failed", route=getattr(request.scope.get("route"), "path", ""), exc_info=error)
        return problem(500, "Tocsin failed to do this.", "Nothing was half-done. Look at the log, and try again.")


_MEDIA = {"media", "image", "images", "attachment", "attachments", "file", "files", "video"}


def _field(location: Sequence[Any]) -> str:
    """`incident.name` instead of `body → incident → inline → name`."""
    names = [str(part) for part in location[1:] if part not in ("inline", "existing")]
    return ".".join(names) or "body"


def _message(error: Any) -> str:
    known = {
        "extra_forbidden": "Unknown field. Perhaps it is misspelt.",
        "missing": "This field is needed.",
        "json_invalid": "The body is not valid JSON.",
    }
    if error["type"] == "extra_forbidden" and str(error["loc"][-1]).lower() in _MEDIA:
        return "Tocsin sends text only, since a platform may change or refuse media. Put a link into the text."
    message = known.get(error["type"]) or str(error["msg"]).removeprefix("Value error, ")
    return message.encode("utf-8", "replace").decode()
