"""Tocsin's own name, where the company's domain is the incident: whoever holds a domain answers in the place of every host below it.

Two cases. A name that shares its registered domain with the company's own (`TOCSIN_OWN_DOMAINS`) is warned of on a quiet day. One that lies
inside an affected domain of an incident has fallen for that incident: no link to it is mailed, and no signature that was given on one
of its pages counts, since somebody else may have shown the page. What is left needs no name: SSH keys, by the command line.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from app.domain.incident import Facts
from app.domain.wording.names import bare_host, canonical, registrable, within
from app.settings import Settings, words


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


def fallen(settings: Settings, incident: Facts) -> str:
    """The affected domain in which the public URL's host lies, or ""."""
    host = _host(settings)
    return next((domain for domain in incident.affected_domains if within(host, canonical(domain))), "")


def why_no_page(settings: Settings, incident: Facts) -> str:
    """Why no page of ours signs for this incident, and how to sign all the same; "" where pages do."""
    domain = fallen(settings, incident)
    if not domain:
        return ""
    return (
        f"Tocsin's own address lies inside {domain}, which is affected: somebody else may answer there. No page signs for this incident. "
        "Sign with an SSH key, by Tocsin's IP address or through a tunnel: tocsin approve ID --person YOU --key KEY"
    )


def _host(settings: Settings) -> str:
    return canonical(urlsplit(settings.public_url).hostname or "")


def _hangs_on(host: str, domain: str) -> bool:
    """Whether one registration holds both. An ending that is on no public list is compared by what lies within what."""
    return bool(domain) and ((registrable(host) or host) == (registrable(domain) or domain) or within(host, domain))
