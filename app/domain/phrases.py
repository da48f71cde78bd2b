"""The fixed phrases that Tocsin itself says, in the languages that it knows; others get the English ones. What an author wrote is never
translated here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.domain.announcement import TITLES, Kind

LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
"""A language as BCP 47 writes it: `de`, `pt-BR`, `zh-Hant`."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """What a pointer says beside the author's words, and what announcements of each kind are called."""

    full_text: str  # before the link to the primary
    not_monitored: str
    titles: Mapping[Kind, str]


_ENGLISH = Phrases("Full text and all further updates, only here:", "This channel is not monitored for now.", TITLES)
_KNOWN = {
    "en": _ENGLISH,
    "de": Phrases(
        "Der ganze Text und alles Weitere steht nur hier:",
        "Dieser Kanal wird zurzeit nicht betreut.",
        {
            Kind.INITIAL: "Sicherheitshinweis",
            Kind.UPDATE: "Neues zur Sicherheit",
            Kind.RESOLUTION: "Behoben",
            Kind.SUMMARY: "Zusammenfassung",
            Kind.POSTMORTEM: "Abschlussbericht",
            Kind.REPORT_ANSWER: "Unsere Antwort",
            Kind.HELP: "Bitte um Hilfe",
            Kind.CORRECTION: "Berichtigung",
        },
    ),
    "es": Phrases(
        "El texto completo y todas las novedades, solo aquí:",
        "Por ahora nadie atiende este canal.",
        {
            Kind.INITIAL: "Aviso de seguridad",
            Kind.UPDATE: "Novedades de seguridad",
            Kind.RESOLUTION: "Resuelto",
            Kind.SUMMARY: "Resumen",
            Kind.POSTMORTEM: "Informe final",
            Kind.REPORT_ANSWER: "Nuestra respuesta",
            Kind.HELP: "Pedimos ayuda",
            Kind.CORRECTION: "Corrección",
        },
    ),
    "fr": Phrases(
        "Le texte complet et toutes les nouvelles, uniquement ici :",
        "Ce canal n’est pas suivi pour le moment.",
        {
            Kind.INITIAL: "Avis de sécurité",
            Kind.UPDATE: "Point de sécurité",
            Kind.RESOLUTION: "Résolu",
            Kind.SUMMARY: "Résumé",
            Kind.POSTMORTEM: "Bilan de l’incident",
            Kind.REPORT_ANSWER: "Notre réponse",
            Kind.HELP: "Appel à l’aide",
            Kind.CORRECTION: "Rectification",
        },
    ),
}


def phrases(language: str) -> Phrases:
    """The phrases of a language, whatever its region; the English ones where it is not known."""
    return _KNOWN.get(language.partition("-")[0].lower(), _ENGLISH)


def fitting(language: str, offered: Sequence[str]) -> str:
    """Which of the offered languages serves a destination's: the very same, else the first of another region; "" for none."""
    wanted = language.lower()
    same = [one for one in offered if one.lower() == wanted]
    near = [one for one in offered if one.lower().partition("-")[0] == wanted.partition("-")[0]]
    return next(iter([*same, *near]), "")
