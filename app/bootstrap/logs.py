"""Structured logs, one JSON object a line on stderr. No secret, no token in a URL: the libraries that log requests are kept quiet."""

from __future__ import annotations

import logging
import sys

import structlog

# These log URLs or bodies, and a Telegram token stands in its URL.
_QUIET = (
    "httpx",
    "httpcore",
    "aiohttp",
    "telegram",
    "prawcore",
    "praw",
    "tweepy",
    "urllib3",
    "aiosqlite",
    "granian",
    "_granian",
    "asyncio",
)


def configure(level: str) -> None:
    """Sets up structlog and the standard library's loggers; safe to call again."""
    numeric = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format='{"level":"%(levelname)s","logger":"%(name)s","event":"%(message)s"}'
    )
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)
