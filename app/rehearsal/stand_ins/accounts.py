"""The credentials that the stand-ins accept, one dict a platform. All invented: they open nothing anywhere else.

`X["accounts"]` maps a handle to its access token; `X_POINTERS` and Telegram's `pointer_prefix` give a drill as many pointers as it
wants. Ids have the platforms' own shapes.
"""

from __future__ import annotations

from typing import Any, Final

POINTERS: Final = 40


def _x_account(handle: str, user_id: int, name: str) -> dict[str, str]:
    return {
        "handle": handle,
        "name": name,
        "user_id": str(user_id),
        "access_token": f"{user_id}-rehearsal-token",
        "access_token_secret": f"rehearsal-secret-{user_id}",
    }


X: Final[dict[str, Any]] = {
    "consumer_key": "rehearsal-consumer-key",
    "consumer_secret": "rehearsal-consumer-secret",
    "bearer_token": "rehearsal-app-only-bearer",
    "accounts": [
        _x_account("tocsin_drill", 1700000000000000001, "Tocsin Drill"),
        _x_account("tocsin_drill_b", 1700000000000000002, "Tocsin Drill (second)"),
        *(_x_account(f"tocsin_ptr_{n:02d}", 1700000000000001000 + n, f"Tocsin Pointer {n:02d}") for n in range(POINTERS)),
    ],
}

REDDIT: Final[dict[str, Any]] = {
    "client_id": "rehearsal-client",
    "client_secret": "rehearsal-client-secret",
    "username": "tocsin_drill",
    "password": "rehearsal-password",
    "account_id": "9tocsin1",
    "subreddit": "tocsin_drill",
    "subreddit_id": "5drill",
    "flairs": {"1f6a8a10-0000-4000-8000-000000000001": "Incident", "1f6a8a10-0000-4000-8000-000000000002": "Resolved"},
}

TELEGRAM: Final[dict[str, Any]] = {
    "token": "7000000001:REHEARSAL_aaaaaaaaaaaaaaaaaaaaaaaaa",
    "bot_id": 7000000001,
    "bot_username": "tocsin_drill_bot",
    "channels": {"tocsin_drill": -1001700000001, "tocsin_drill_b": -1001700000002},
    "pointer_prefix": "tocsin_pointer_",  # any @tocsin_pointer_NN exists; its id is pointer_id_base - NN
    "pointer_id_base": -1001700001000,
}

DISCORD: Final[dict[str, Any]] = {
    "bot_token": "rehearsal.bot.token",
    "bot_id": "1100000000000000001",
    "bot_name": "tocsin-drill",
    "guild_id": "1100000000000000002",
    "channel_id": "1100000000000000003",
    "webhook_id": "1100000000000000004",
    "webhook_token": "rehearsal-webhook-token",
    "webhook_name": "Tocsin Drill",
    "webhook_channel_id": "1100000000000000005",
}

SMTP: Final[dict[str, Any]] = {
    "username": "tocsin",
    "password": "rehearsal-mail-password",
    "domain": "rehearsal.example",
}
