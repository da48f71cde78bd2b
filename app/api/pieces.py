"""Answers that may be megabytes. What they hold lies elsewhere."""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

PIECE = 64 * 1024


class Pieces(Response):
    """JSON that is handed over in pieces: of a whole answer the server keeps a copy for as long as the connection lives."""

    media_type = "application/json"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it, each piece once the server has taken the one before."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for at in range(0, max(len(self.body), 1), PIECE):
            more = at + PIECE < len(self.body)
            await send({"type": "http.response.body", "body": bytes(self.body[at : at + PIECE]), "more_body": more})
