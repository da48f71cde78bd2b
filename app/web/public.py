"""What everybody may read besides the banner: feeds, incident pages, verify. All of it is what went out, from signed bytes alone.

What does not exist and what is not published get the same answer, so that nobody learns from it what is being prepared. No route here
changes anything.
"""

from __future__ import annotations

import hashlib
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse

from app.services.published import Published
from app.services.recognise import LONGEST, recognise
from app.web import feeds, pages
from app.web.routes import BOTH, PUBLIC, Ctx

router = APIRouter(include_in_schema=False)


def _published(request: Request) -> Published:
    return request.app.state.published  # type: ignore[no-any-return]


Public = Annotated[Published, Depends(_published)]


@router.api_route("/feed.atom", methods=BOTH)
async def feed_atom(request: Request, ctx: Ctx, published: Public) -> Response:
    """The newest announcements as Atom; 304 where the reader has them."""
    body = feeds.atom(await published.newest(ctx), ctx.settings.public_url, ctx.settings.environment.value)
    return _kept(request, body, "application/atom+xml; charset=utf-8", PUBLIC)


@router.api_route("/feed.json", methods=BOTH)
async def feed_json(request: Request, ctx: Ctx, published: Public) -> Response:
    """The same as JSON Feed."""
    body = feeds.json_feed(await published.newest(ctx), ctx.settings.public_url, ctx.settings.environment.value)
    return _kept(request, body, "application/feed+json; charset=utf-8", PUBLIC)


@router.api_route("/incidents/{slug}", methods=BOTH)
async def incident_page(request: Request, slug: str, ctx: Ctx, published: Public) -> Response:
    """All that was said of one incident."""
    environment, headers = ctx.settings.environment.value, pages.public_headers()
    posts = await published.of_incident(ctx, slug)
    if not posts:
        return HTMLResponse(pages.nothing_page(environment), 404, headers=headers | {"Cache-Control": "no-store"})
    page = pages.incident_page(posts, environment).encode()
    return _kept(request, page, "text/html; charset=utf-8", headers | {"Cache-Control": PUBLIC["Cache-Control"]})


@router.api_route("/verify", methods=BOTH)
async def verify_page(ctx: Ctx, published: Public, q: str = "") -> Response:
    """Whether a post or a text is ours; `q` is its address, for who wants to link the question."""
    return await _verified(ctx, published, q)


@router.post("/verify")
async def verify(request: Request, ctx: Ctx, published: Public) -> Response:
    """The same for the form of that page, since a text is too long for an address."""
    try:
        form = parse_qs((await request.body()).decode(), max_num_fields=4)
    except ValueError:
        form = {}
    return await _verified(ctx, published, form.get("q", [""])[0])


async def _verified(ctx: Ctx, published: Published, asked: str) -> Response:
    asked = asked.strip()
    found = await recognise(ctx, published, asked)
    page = pages.verify_page(asked[:LONGEST], found, ctx.settings.environment.value)
    return HTMLResponse(page, headers=pages.public_headers(form=True) | {"Cache-Control": "no-store"})


def _kept(request: Request, body: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """What may be cached, with its entity tag; 304 where the reader has it."""
    tag = '"' + hashlib.sha256(body).hexdigest()[:32] + '"'
    headers = headers | {"ETag": tag, "X-Content-Type-Options": "nosniff"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)
