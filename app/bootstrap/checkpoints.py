"""The checkpoints of a house: with which key they are signed, to which file they go, and who else is told.

The key comes from the environment. Where none is given, it is made once, and kept in the data folder for its owner alone.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.http import Door
from app.bootstrap.configuration import ConfigurationError
from app.bootstrap.destinations import loopback
from app.domain.note import NoteRefused, Signer
from app.services.checkpoint import Checkpoints
from app.settings import Settings

Tell = Callable[[str], Awaitable[None]]


def open_checkpoints(settings: Settings) -> Checkpoints:
    """Raises `ConfigurationError`. Their name is the public URL's, without its scheme, and `/timeline`."""
    name = settings.public_url.partition("://")[2] + "/timeline"
    file = Path(settings.checkpoint_file or settings.data / "checkpoints")
    try:
        os.makedirs(settings.data, mode=0o700, exist_ok=True)
        signer = Signer(name, _key(settings))
        file.open("ab").close()
        return Checkpoints(signer, file, settings.checkpoint_seconds, _receiver(settings))
    except NoteRefused as error:
        raise ConfigurationError([f"TOCSIN_PUBLIC_URL: {error}"]) from error
    except OSError as error:
        raise ConfigurationError([f"Checkpoints of the record: {error.filename} cannot be used ({error.strerror})."]) from error


def _key(settings: Settings) -> Ed25519PrivateKey:
    if given := settings.checkpoint_key.get_secret_value():
        return _read("TOCSIN_CHECKPOINT_KEY", given)
    path = settings.data / "checkpoint.key"
    if not path.exists():
        made = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw())
        fresh = path.with_suffix(".fresh")
        with open(fresh, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(made + b"\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)  # whole, or not at all
    return _read(str(path), path.read_text(encoding="ascii", errors="replace"))


def _read(where: str, text: str) -> Ed25519PrivateKey:
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text.strip(), validate=True))
    except ValueError:
        raise ConfigurationError([f"{where} is no key of 32 bytes in base64; `openssl rand -base64 32` makes one."]) from None


def _receiver(settings: Settings) -> Tell | None:
    url = settings.checkpoint_url.get_secret_value()
    if not url:
        return None
    to = urlsplit(url)
    if to.scheme != "https" and not loopback(to.hostname or ""):
        raise ConfigurationError(["TOCSIN_CHECKPOINT_URL must begin with https:// (http:// on this machine alone)."])
    if settings.drill and not loopback(to.hostname or ""):
        raise ConfigurationError(["TOCSIN_CHECKPOINT_URL: a drill reaches this machine only."])
    door = Door("The receiver of checkpoints", url)

    async def tell(note: str) -> None:
        try:
            answer = await door.ask("POST", url, data=note.encode(), headers={"Content-Type": "text/plain; charset=utf-8"})
        finally:
            await door.aclose()
        if not 200 <= answer.status < 300:
            raise OSError(f"The receiver of checkpoints answered with {answer.status}.")

    return tell
