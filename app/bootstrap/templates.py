"""The templates: the built-in ones of `app/templates`, and a team's own, which win. Every mistake in a file is named at start-up.

`python -m app.bootstrap.templates` prints docs/templates.md.
"""

from __future__ import annotations

from pathlib import Path

from app.bootstrap.configuration import ConfigurationError
from app.domain.templates import catalogue
from app.domain.templates.filling import NotFilled, sample
from app.domain.templates.template import Template, TemplateError

BUILT_IN = Path(__file__).parent.parent / "templates"


def load_templates(own: str = "") -> dict[str, Template]:
    """All templates by id; `own` names a team's folder. Raises `ConfigurationError`."""
    folder = Path(own)
    if own and not folder.is_dir():
        raise ConfigurationError([f"TOCSIN_TEMPLATES: {own} is no folder."])
    files = {file.stem: file for place in (BUILT_IN, *([folder] if own else [])) for file in sorted(place.glob("*.toml"))}
    found: dict[str, Template] = {}
    problems: list[str] = []
    for id_, file in sorted(files.items()):
        try:
            found[id_] = Template.parse(id_, file.read_text(encoding="utf-8"))
            sample(found[id_])
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{file} cannot be read: {error}.")
        except TemplateError as error:
            problems.append(f"{file}: {error}")
        except NotFilled as error:
            problems.append(f"{file}: its samples do not fit: {error}")
    if problems:
        raise ConfigurationError(problems)
    return found


if __name__ == "__main__":
    print(catalogue.as_markdown(load_templates().values()), end="")
