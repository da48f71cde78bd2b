"""The pages of a person who is logged in: what waits for them, what goes out, what went out, and the same approval page as by a link.

A session shows; it decides nothing. What is POSTed here is a signed decision, which counts by its signature as everywhere, or ends
sessions. Nobody else's page can send it: the cookie goes to our own pages alone (SameSite=Strict), Origin and Sec-Fetch-Site have to be
ours, and a token of the session has to come along. Leaving an account out takes no signature, so there is no route for it here.
"""

from __future__ import annotations

import hmac
import json
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from app.domain.approval import Statement
from app.services import approve, links, overview, sessions
from app.services.context import Context, Refused
from app.services.sessions import LONGEST, Door, Session
from app.settings import Settings
from app.web import pages
from app.web.routes import BOTH, PRIVATE, Ctx, json_answer, signed_approval

router = APIRouter(include_in_schema=False)

BROWSER, SESSION = "tocsin-browser", "tocsin-session"


class _NotLoggedIn(Refused):
    def __init__(self) -> None:
        super().__init__(401, "You are not logged in.", "Open /login in your browser; nothing was done.")


async def _session(request: Request, ctx: Ctx) -> Session:
    """The session of what a page asks by itself, which keeps none open. Raises `Refused` 401."""
    found = await sessions.find(ctx, _cookie(request, ctx, SESSION))
    if found is None:
        raise _NotLoggedIn
    return found


async def _acting(request: Request, ctx: Ctx) -> Session:
    """The session of a POST from a page of ours. Raises `Refused` 401 or 403."""
    found = await _session(request, ctx)
    _from_our_page(request, ctx)
    if not hmac.compare_digest(request.headers.get("x-csrf-token", "").encode(), found.csrf.encode()):
        raise Refused(403, "This did not come from Tocsin's own page.", "Load the page again and do it there.")
    return found


Present = Annotated[Session, Depends(_session)]
Acting = Annotated[Session, Depends(_acting)]


@router.api_route("/login", methods=BOTH)
async def login_page(request: Request, ctx: Ctx, person: str = "") -> Response:
    """The page on which a person logs in. With `person` the browser is told which passkeys are theirs, for keys that hold no names."""
    browser = _cookie(request, ctx, BROWSER) or secrets.token_urlsafe(32)
    view = {
        "environment": ctx.settings.environment.value,
        "challenge": _door(request).challenge(browser),
        "rp_id": ctx.settings.rp_id,
        "person": person[:64],
        "passkeys": sessions.passkeys_of(ctx, person),
    }
    answer = HTMLResponse(pages.login_page(view), headers=pages.page_headers())
    _set(answer, ctx.settings, BROWSER, browser)
    return answer


@router.post("/login")
async def log_in(request: Request, ctx: Ctx) -> Response:
    """Takes a signed challenge of this browser, and opens a session."""
    _from_our_page(request, ctx)
    given, replaced = _object(await request.body()), _cookie(request, ctx, SESSION)
    token = await sessions.log_in(ctx, _door(request), _cookie(request, ctx, BROWSER), given, replaced)
    answer = json_answer({"next": "/"}, PRIVATE)
    _set(answer, ctx.settings, SESSION, token)
    return answer


@router.post("/logout")
async def log_out(request: Request, ctx: Ctx, session: Acting) -> Response:
    """Ends this session, or with `everywhere` all of its person."""
    everywhere = _object(await request.body()).get("everywhere") is True
    await sessions.log_out(ctx, _cookie(request, ctx, SESSION), session.person, everywhere=everywhere)
    answer = json_answer({"next": "/login"}, PRIVATE)
    _set(answer, ctx.settings, SESSION, "", lasts=0)
    return answer


@router.api_route("/", methods=BOTH)
async def home(request: Request, ctx: Ctx) -> Response:
    """What waits for the person, what goes out and what went out."""
    session = await sessions.find(ctx, _cookie(request, ctx, SESSION), visit=True)
    if session is None:
        return _to_login()
    view = await overview.overview(ctx, session)
    return HTMLResponse(pages.home_page(view), headers=pages.page_headers())


@router.api_route("/announcements/{announcement_id}", methods=BOTH)
async def announcement(announcement_id: str, request: Request, ctx: Ctx) -> Response:
    """The approval page of the current revision."""
    session = await sessions.find(ctx, _cookie(request, ctx, SESSION), visit=True)
    if session is None:
        return _to_login()
    try:
        view = await links.request_in_session(ctx, announcement_id, session)
    except Refused as error:
        closed = pages.link_closed_page(environment=ctx.settings.environment.value, title=error.title, detail=error.detail)
        return HTMLResponse(closed, error.status, headers=pages.page_headers())
    return HTMLResponse(pages.approve_page(view), headers=pages.page_headers())


@router.api_route("/announcements/{announcement_id}/request", methods=BOTH)
async def approval_request(announcement_id: str, ctx: Ctx, session: Present) -> Response:
    """The same as data, for a page that looks again."""
    return json_answer(await links.request_in_session(ctx, announcement_id, session), PRIVATE)


@router.post("/announcements/{announcement_id}")
async def decide(announcement_id: str, request: Request, ctx: Ctx, session: Acting) -> Response:
    """Takes the person's signed decision."""
    approval = signed_approval(await request.body())
    if Statement.parse(approval.statement_bytes).person != session.person.id:
        raise Refused(403, "The signature is not yours.", "Log in yourself and sign there.")
    outcome = await approve.decide(ctx, announcement_id, approval)
    return json_answer({"decision": outcome.decision, "state": outcome.state, "missing": outcome.missing}, PRIVATE)


def _door(request: Request) -> Door:
    return request.app.state.door  # type: ignore[no-any-return]


def _to_login() -> Response:
    return RedirectResponse("/login", 303, headers=PRIVATE)


def _from_our_page(request: Request, ctx: Context) -> None:
    """Refuses what another site's page, or no page at all, lets a browser send."""
    headers = request.headers
    ours = headers.get("origin") == ctx.settings.origin and headers.get("sec-fetch-site", "same-origin") == "same-origin"
    if not ours or not headers.get("content-type", "").startswith("application/json"):
        raise Refused(403, "This did not come from Tocsin's own page.", f"Open {ctx.settings.origin}/login and do it there.")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        given = json.loads(raw)
    except (ValueError, RecursionError):
        given = None
    return given if isinstance(given, dict) else {}


def _named(settings: Settings, name: str) -> str:
    """Over HTTPS a cookie that no other host and no plain connection can set. Over HTTP, on localhost, not every browser would keep it."""
    return f"__Host-{name}" if settings.origin.startswith("https://") else name


def _cookie(request: Request, ctx: Context, name: str) -> str:
    return request.cookies.get(_named(ctx.settings, name), "")


def _set(answer: Response, settings: Settings, name: str, value: str, lasts: int = int(LONGEST.total_seconds())) -> None:
    secure = settings.origin.startswith("https://")
    answer.set_cookie(_named(settings, name), value, max_age=lasts, path="/", secure=secure, httponly=True, samesite="strict")
