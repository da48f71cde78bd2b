"""A template as its file tells it, read strictly: what is misspelt there is found on a quiet day.

The words are sentences. One that names a variable which was left empty is left out, so that nothing is ever half said; "" between
sentences begins a paragraph.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from app.domain.announcement import Answers, Kind

GAP = re.compile(r"\{([a-z][a-z_]*)\}")
_ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_NAME = re.compile(r"[a-z][a-z_]*")


class TemplateError(ValueError):
    """This is no template; the message says which and what to write."""


class Type(StrEnum):
    """What may stand in a gap, and how it is shown (`app.domain.templates.values`)."""

    PRODUCT = "product"
    DOMAIN = "domain"
    TIME = "time"
    WINDOW = "window"
    DURATION = "duration"
    LINK = "link"
    PEOPLE = "people"
    WORDS = "words"


FACTS: Mapping[str, Type] = {"affected_products": Type.PRODUCT, "affected_domains": Type.DOMAIN, "started": Type.TIME}
"""Facts of an incident that a variable may be taken from, and that its value tells, with the type that fits each."""

LIMITS: Mapping[Type, int] = {Type.PRODUCT: 60, Type.WORDS: 80, Type.PEOPLE: 60}
"""The most characters of one value, unless its variable says otherwise; of people, of each name."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One gap. Without a value it takes `default`, or the incident's `fact`; only an `optional` one may stay empty.

    `ahead` marks a time that lies ahead; `suggestions` are values that often fit.
    """

    name: str
    type: Type
    asks: str  # the question that a person is asked
    sample: str
    optional: bool = False
    default: str = ""
    fact: str = ""
    limit: int = 0
    ahead: bool = False
    suggestions: tuple[str, ...] = ()

    @property
    def most(self) -> int:
        """The most characters that its value may have; 0 where its type bounds it."""
        return self.limit or LIMITS.get(self.type, 0)


@dataclass(frozen=True, slots=True)
class Template:
    """Sentences and answers with gaps. `when` says for which hour it is, `longer` why it does not fit one post of 280."""

    id: str
    version: int
    kind: Kind
    title: str
    when: str
    text: tuple[str, ...]
    answers: Answers = field(default_factory=Answers)
    variables: tuple[Variable, ...] = ()
    language: str = "en"
    longer: str = ""

    @classmethod
    def parse(cls, id_: str, raw: str) -> Template:
        """From the text of a file, whose name gives the id. Raises `TemplateError`."""
        try:
            data = tomllib.loads(raw)
            known = {f.name for f in fields(cls)} - {"id", "variables", "answers"} | {"variable", *_ANSWERS}
            _only(data, known)
            variables = tuple(_variable(entry) for entry in data.pop("variable", []))
            answers = Answers(**{name: data.pop(name) for name in _ANSWERS if name in data})
            given: dict[str, Any] = data | {"kind": Kind(data["kind"]), "text": tuple(data["text"])}
            template = cls(id=id_, answers=answers, variables=variables, **given)
            _consistent(template)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise TemplateError(f"Template {id_}: {_told(error)}") from error
        return template

    def variable(self, name: str) -> Variable | None:
        """The variable of that name."""
        return next((v for v in self.variables if v.name == name), None)


_ANSWERS = tuple(f.name for f in fields(Answers))


def gaps(words: str) -> list[str]:
    """The names of the variables that these words need."""
    return GAP.findall(words)


def _only(data: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(data.keys() - known):
        raise ValueError(f"unknown {', '.join(unknown)}; there are {', '.join(sorted(known))}.")


def _variable(entry: dict[str, Any]) -> Variable:
    _only(entry, {f.name for f in fields(Variable)})
    changed = {"type": Type(entry["type"]), "suggestions": tuple(entry.get("suggestions", ()))}
    return Variable(**(entry | changed))


def _consistent(template: Template) -> None:
    """Raises where a gap has no variable, a variable no gap, or a value could never be one."""
    if not _ID.fullmatch(template.id):
        raise ValueError("its file's name must be lower-case letters, digits and hyphens, then .toml.")
    words = [*template.text, *(getattr(template.answers, name) for name in _ANSWERS)]
    if not any(template.text) or not all(isinstance(word, str) for word in [*words, template.title, template.when, template.longer]):
        raise ValueError("title, when and the answers are strings, and text is a list of sentences.")
    if type(template.version) is not int or template.version < 1:
        raise ValueError("version is a whole number from 1 on.")
    needed, named = {gap for word in words for gap in gaps(word)}, [v.name for v in template.variables]
    if needed != set(named) or len(named) != len(set(named)):
        raise ValueError(f"the gaps are {_listed(needed)}, and the variables {_listed(named)}: each needs the other, once.")
    for variable in template.variables:
        if not _NAME.fullmatch(variable.name) or not variable.asks or not variable.sample:
            raise ValueError(f"variable {variable.name}: name (small letters and _), asks and sample are needed.")
        if variable.fact and FACTS.get(variable.fact) is not variable.type:
            raise ValueError(f"variable {variable.name}: fact is one of {_listed(FACTS)}, and its type has to fit.")
    if any("{" in GAP.sub("", word) or "}" in GAP.sub("", word) for word in words):
        raise ValueError("a gap is written {name}, in small letters.")


def _listed(names: Any) -> str:
    return ", ".join(sorted(map(str, names))) or "none"


def _told(error: Exception) -> str:
    return f"{error.args[0]} is missing." if isinstance(error, KeyError) else str(error)
