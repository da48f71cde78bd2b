"""Every version of the roster with its endorsements, one after another: which one is in force, and why one is not.

Rules kept here: a version follows exactly the one that it names, so that nothing is left out and nothing branches off; whoever has trusted
a version goes on from there, and trusts no older one, nor another of the same number. What makes one version count lies in
`app.domain.endorsement`; who remembers what was trusted in `app.store.trusted`.

The file beside the roster (`roster.signed`) is lines of JSON, to which one only adds: `{"document": "…"}` with a version's canonical text,
and endorsements. Order says nothing, since an endorsement names its document by digest; one that is good for nothing does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import rfc8785

from app.domain import strict
from app.domain.endorsement import Endorsement, EndorsementRefused, Standing, standing
from app.domain.roster import RosterError
from app.domain.roster_document import MAX_DOCUMENT, RosterDocument

MAX_HISTORY = 16_777_216
"""Bytes of the file."""


class RosterRefused(Exception):
    """No version, or not this one, may be trusted; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Known:
    """The highest version that somebody trusted, to go on from there."""

    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Trusted:
    """A version in force, and who stands behind it."""

    document: RosterDocument
    digest: str
    standing: Standing

    @property
    def known(self) -> Known:
        """What is to be remembered of it."""
        return Known(self.document.version, self.digest)


@dataclass(frozen=True, slots=True)
class RosterHistory:
    """What the file holds: documents by digest, and endorsements; nothing is proved yet."""

    documents: dict[str, RosterDocument] = field(default_factory=dict)
    endorsements: tuple[Endorsement, ...] = ()

    @classmethod
    def parse(cls, text: str) -> RosterHistory:
        """What these lines are. Raises `RosterRefused` naming the line, and nothing else."""
        if len(text) > MAX_HISTORY:
            raise RosterRefused(f"It is longer than {MAX_HISTORY} characters; is this the right file?")
        documents: dict[str, RosterDocument] = {}
        endorsements: list[Endorsement] = []
        for number, line in enumerate(text.split("\n"), 1):
            try:
                if line.startswith('{"document"'):
                    document = RosterDocument.parse(_document(line))
                    documents[document.digest] = document
                elif line.strip():
                    endorsements.append(Endorsement.from_json(line))
            except (EndorsementRefused, RosterError, strict.NotStrict) as error:
                raise RosterRefused(f"Line {number} is neither a version nor an endorsement: {error} Take it out.") from error
        return cls(documents, tuple(endorsements))

    def in_force(self, environment: str, known: Known | None = None) -> Trusted:
        """The highest version that counts, going on from what is `known`, else from version 1. Raises `RosterRefused`."""
        foreign = next((document for document in self.documents.values() if document.environment != environment), None)
        if foreign:
            raise RosterRefused(f"It holds a roster for {foreign.environment}, and can never be used for {environment}.")
        trusted = self._known(known) if known else self._next(None)
        if trusted is None:
            waiting = [self.stands(document, None) for document in self.documents.values() if document.version == 1]
            signed = f"version 1 lacks {min(one.own_missing for one in waiting)} more." if waiting else "it holds no version 1."
            raise RosterRefused(f"Not enough people have signed it: {signed} See `tocsin roster`.")
        while following := self._next(trusted):
            trusted = following
        return trusted

    def waiting(self, trusted: Trusted | None) -> Iterator[tuple[RosterDocument, Standing]]:
        """The documents that follow it and do not count yet, with who signed them."""
        for document in self._following(trusted):
            found = self.stands(document, trusted.document if trusted else None)
            if not found.counts:
                yield document, found

    def stands(self, document: RosterDocument, before: RosterDocument | None) -> Standing:
        """Who stands behind a document, by the endorsements that are here."""
        return standing(document, before, self.endorsements)

    def _known(self, known: Known) -> Trusted:
        document = self.documents.get(known.digest)
        if document is not None and document.version == known.version:
            return Trusted(document, known.digest, self.stands(document, self.documents.get(document.previous)))
        highest = max((document.version for document in self.documents.values()), default=0)
        if highest < known.version:
            raise RosterRefused(f"It was rolled back: version {known.version} was trusted here, and it ends with version {highest}.")
        raise RosterRefused(f"Version {known.version}, which was trusted here ({known.digest}), is not in it: it holds another history.")

    def _following(self, trusted: Trusted | None) -> list[RosterDocument]:
        version, previous = (trusted.document.version + 1, trusted.digest) if trusted else (1, "")
        return [document for document in self.documents.values() if (document.version, document.previous) == (version, previous)]

    def _next(self, trusted: Trusted | None) -> Trusted | None:
        before = trusted.document if trusted else None
        found = [Trusted(document, document.digest, self.stands(document, before)) for document in self._following(trusted)]
        counting = [one for one in found if one.standing.counts]
        if len(counting) > 1:
            raise RosterRefused(f"Two different versions {counting[0].document.version} are signed by enough people. Take one of them out.")
        return counting[0] if counting else None


def document_line(document: RosterDocument) -> str:
    """The line that puts a version into the file."""
    return rfc8785.dumps({"document": document.to_bytes().decode()}).decode() + "\n"


def _document(line: str) -> bytes:
    text = strict.json_object(line, "line", 2 * MAX_DOCUMENT, {"document"})["document"]
    if not isinstance(text, str):
        raise strict.NotStrict("The line's 'document' must be a text.")
    return strict.encoded(text, "document")
