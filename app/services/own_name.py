"""Tocsin's own name, where the company's domain is the incident: whoever holds a domain answers in the place of every host below it.

Two cases. A name that shares its registered domain with the company's own (`TOCSIN_OWN_DOMAINS`) is warned of on a quiet day. One that lies
inside an affected domain of an incident has fallen for that incident: no link to it is mailed, and no signature that was given on one
of its pages counts, since somebody else may have shown the page. What is left needs no name: SSH keys, by the command line.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection

from app.domain.manifest import Manifest
from app.domain.wording.names import bare_host, canonical, registrable, within
from app.services.context import Context
from app.settings import Settings, words
from app.store import announcements as store


def warning(settings: Settings) -> str:
    """That the public URL hangs on one of the company's own domains, and what to do; "" where it stands on its own."""
    host = _host(settings)
    shared = next((domain for domain in words(settings.own_domains) if _hangs_on(host, bare_host(domain))), "")
    if not shared:
        return ""
    return (
        f"Tocsin's own address, {host}, hangs on {shared}, which is one of your own domains (TOCSIN_OWN_DOMAINS). Whoever takes that "
        "domain takes the pages, the links and the passkeys with it. Give Tocsin a domain of its own; until then, let every reviewer "
        "have an SSH key, too."
    )


def fallen(settings: Settings, affected: Iterable[str]) -> str:
    """The one of the affected domains in which the public URL's host lies, or ""."""
    host = _host(settings)
    return next((domain for domain in affected if within(host, canonical(domain))), "")


async def why_no_page(ctx: Context, tx: AsyncConnection, manifest: Manifest, incident: str) -> str:
    """Why no page of ours signs this, and how to sign all the same; "" where pages do.

    What counts is what the manifest says, and what its incident says by now: the domain may have been named since.
    """
    row = await store.incident(tx, incident)
    domain = fallen(ctx.settings, (*manifest.incident.affected_domains, *(row.facts["affected_domains"] if row else ())))
    if not domain:
        return ""
    return (
        f"Tocsin's own address lies inside {domain}, which is affected: somebody else may answer there. No page signs for this incident. "
        f"Sign with an SSH key, by Tocsin's IP address or through a tunnel: tocsin approve {manifest.announcement} --person YOU --key KEY"
    )


def _host(settings: Settings) -> str:
    return canonical(urlsplit(settings.public_url).hostname or "")


def _hangs_on(host: str, domain: str) -> bool:
    """Whether one registration holds both. An ending that is on no public list is compared by what lies within what."""
    return bool(domain) and ((registrable(host) or host) == (registrable(domain) or domain) or within(host, domain))
