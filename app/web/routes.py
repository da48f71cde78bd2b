"""The pages and public answers: the approval link, the banner, static files. No route here changes anything by GET or HEAD.
What a person sees who is logged in lies in `app.web.sessions`.

A link's token is a secret: its pages are not cached, send no referrer, and are never logged.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from pydantic_core import to_json

from app.domain.approval import Approval, ApprovalRefused, Statement
from app.services import approve, enrol, exclude, links
from app.services.banner import Shown
from app.services.context import Context, Refused
from app.web import pages

router = APIRouter(include_in_schema=False)


def _context(request: Request) -> Context:
    return request.app.state.ctx  # type: ignore[no-any-return]


Ctx = Annotated[Context, Depends(_context)]

PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
PUBLIC = {
    "Cache-Control": "public, max-age=15, stale-while-revalidate=30, stale-if-error=86400",
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
BOTH = ["GET", "HEAD"]
MAX_WHY = 400


@router.api_route("/approve/{token}", methods=BOTH)
async def approval_page(token: str, ctx: Ctx) -> Response:
    """The page on which a reviewer reads and signs."""
    try:
        view = await links.approval_request(ctx, token)
    except Refused as error:
        return _closed(ctx, error)
    return HTMLResponse(pages.approve_page(view), headers=pages.page_headers())


@router.api_route("/approve/{token}/request", methods=BOTH)
async def approval_request(token: str, ctx: Ctx) -> Response:
    """The same as data, for `tocsin approve` and for a page that looks again."""
    return json_answer(await links.approval_request(ctx, token), PRIVATE)


@router.post("/approve/{token}")
async def decide(token: str, request: Request, ctx: Ctx) -> Response:
    """Takes the signed decision of the link's person."""
    approval = signed_approval(await request.body())
    statement = Statement.parse(approval.statement_bytes)
    async with ctx.database.read() as tx:
        link = await links.look_up(ctx, tx, token)
        if (statement.person, statement.nonce) != (link.row.person, link.nonce):
            raise Refused(403, "The signature is not for this link.", "Open your own link and sign there.")
        await links.may_decide(tx, link, statement.decision.value)
    outcome = await approve.decide(ctx, link.announcement.id, approval)
    return json_answer({"decision": outcome.decision, "state": outcome.state, "missing": outcome.missing}, PRIVATE)


@router.post("/approve/{token}/exclude")
async def exclude_it(token: str, request: Request, ctx: Ctx) -> Response:
    """Leaves an account of the announcement out, at once and for all that follows: asked by one person, the link's."""
    _from_here(request, ctx)
    destination, why = _exclusion(await request.body())
    async with ctx.database.read() as tx:
        person = await links.may_exclude(ctx, tx, token, destination)
    proposed = await exclude.exclude(ctx, destination, why, person)
    return json_answer({"destination": destination, "excluded": True, "proposed": proposed}, PRIVATE)


def _from_here(request: Request, ctx: Context) -> None:
    """Refuses what another page lets a browser send."""
    origin, site = request.headers.get("origin", ctx.settings.origin), request.headers.get("sec-fetch-site", "same-origin")
    if origin != ctx.settings.origin or site != "same-origin" or not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(403, "This did not come from Tocsin's own page.", "Open your own link and do it there.")


def _exclusion(raw: bytes) -> tuple[str, str]:
    try:
        asked = json.loads(raw)
        destination, why = str(asked["destination"]), " ".join(asked["why"].split())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        destination = why = ""
    if not destination or not why or len(why) > MAX_WHY or not why.isprintable():
        raise Refused(422, "Say which account, and why.", f"Write in at most {MAX_WHY} characters what you saw.")
    return destination, why


def _closed(ctx: Context, error: Refused) -> Response:
    closed = pages.link_closed_page(environment=ctx.settings.environment.value, title=error.title, detail=error.detail)
    return HTMLResponse(closed, error.status, headers=pages.page_headers())


def signed_approval(raw: bytes) -> Approval:
    """The approval that a body is; its signature is not yet checked. Raises `Refused`."""
    try:
        return Approval.from_json(raw)
    except ApprovalRefused as error:
        raise Refused(422, "This is no approval.", str(error)) from error


@router.api_route("/enrol/{token}", methods=BOTH)
async def enrolment_page(token: str, ctx: Ctx) -> Response:
    """The page on which a person makes a passkey."""
    try:
        return HTMLResponse(pages.enrol_page(enrol.page_view(ctx, token)), headers=pages.page_headers())
    except Refused as error:
        return _closed(ctx, error)


@router.post("/enrol/{token}")
async def enrolled(token: str, request: Request, ctx: Ctx) -> Response:
    """Takes the new passkey, and gives back its roster entry."""
    try:
        made = json.loads(await request.body())
    except (ValueError, RecursionError):
        made = None
    if not isinstance(made, dict):
        raise Refused(422, "This is no passkey.", "Open the link in a browser and press the button there.")
    return json_answer(enrol.entry(ctx, token, made), PRIVATE)


@router.api_route("/banner.json", methods=BOTH)
async def banner_json(request: Request, ctx: Ctx) -> Response:
    """The banner as data, for any origin; 304 where the reader has it."""
    shown = await _banner(request).current(ctx)
    headers = PUBLIC | {"ETag": shown.etag}
    if shown.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(shown.body, headers=headers, media_type="application/json")


@router.api_route("/banner.html", methods=BOTH)
async def banner_html(request: Request, ctx: Ctx) -> Response:
    """The banner as a page of its own, for frames and readers without scripts."""
    shown = await _banner(request).current(ctx)
    page = pages.banner_page(shown.data | {"environment": ctx.settings.environment.value})
    return HTMLResponse(page, headers=pages.page_headers(framed=True) | {"Cache-Control": PUBLIC["Cache-Control"]})


@router.api_route("/banner.js", methods=BOTH)
async def banner_js(request: Request) -> Response:
    """The one static script; its integrity is stated in the README."""
    file = pages.static_file("banner.js")
    return _static(request, file, PUBLIC | {"Cache-Control": "public, max-age=3600, stale-if-error=604800"})


@router.api_route("/static/{version}/{name}", methods=BOTH)
async def static(request: Request, version: str, name: str) -> Response:
    """Styles and scripts of the pages; the version in the path changes with them, so they are kept for ever."""
    try:
        file = pages.static_file(name)
    except LookupError:
        raise Refused(404, "There is no such file.") from None
    kept = "public, max-age=31536000, immutable" if version == pages.static_version() else "no-store"
    return _static(request, file, {"Cache-Control": kept, "Cross-Origin-Resource-Policy": "cross-origin"})


def _banner(request: Request) -> Shown:
    return request.app.state.banner  # type: ignore[no-any-return]


def _static(request: Request, file: pages.StaticFile, headers: dict[str, str]) -> Response:
    headers = headers | {"ETag": f'"{file.integrity[7:39]}"', "X-Content-Type-Options": "nosniff"}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)


def json_answer(data: dict[str, Any], headers: dict[str, str]) -> Response:
    """An answer of JSON."""
    return Response(to_json(data), headers=headers, media_type="application/json")
