"""check-text: the wording checks by themselves, on a text or on a file of labelled messages; no server is needed."""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from app.cli.output import finding, one_line, put, put_json
from app.cli.words import read
from app.domain.announcement import Kind

CASES_LIMIT = 20_000_000


@click.command()
@click.argument("source", metavar="[FILE | -]", required=False, default="")
@click.option("--text", help="The text itself.")
@click.option("--cases", metavar="FILE", help="A file of labelled messages (YAML): shows each that comes out otherwise.")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), default="initial", show_default=True, help="What the text is.")
@click.option("--product", "products", multiple=True, help="A product of yours (repeat it).")
@click.option("--affected-product", "affected_products", multiple=True, help="A product that is affected.")
@click.option("--own-domain", "own_domains", multiple=True, help="A domain of yours.")
@click.option("--affected-domain", "affected_domains", multiple=True, help="A domain or an address that nobody may be led to.")
@click.option("--allowed-domain", "allowed_domains", multiple=True, help="Another domain that may be linked.")
@click.option("--started", default="", help="When it began, in ISO 8601.")
@click.option("--ended", default="", help="When it ended, in ISO 8601.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def check_text(source: str, text: str | None, cases: str | None, kind: str, as_json: bool, **known: Any) -> None:
    """Check the words of a text, given by FILE, - (stdin) or --text; or those of a file of labelled messages.

    Exit code 1 if the text is blocked, or if any labelled message comes out otherwise.
    """
    if sum((bool(source), text is not None, cases is not None)) != 1:
        raise click.UsageError("Give one of FILE, --text and --cases.")
    wrong = (
        _labelled(cases, as_json)
        if cases is not None
        else _one(text if text is not None else read(source, "the text"), kind, known, as_json)
    )
    if wrong:
        raise click.exceptions.Exit(1)


def _one(text: str, kind: str, known: dict[str, Any], as_json: bool) -> bool:
    from app.domain.wording import Known, check

    findings = check(text, Known(**known), Kind(kind))
    blocked = any(found.severity == "block" for found in findings)
    listed = [dataclasses.asdict(found) for found in findings]
    if as_json:
        put_json({"blocked": blocked, "findings": listed})
        return blocked
    colours = {"block": "red", "warn": "yellow"}
    for found in listed:
        put(finding(found), fg=colours.get(found["severity"]))
    put(f"{len(listed)} findings; {'blocked' if blocked else 'not blocked'}.", bold=True)
    return blocked


def _labelled(file: str, as_json: bool) -> bool:
    import yaml

    from app.domain.wording.cases import Case, CaseError, by_rule, judge

    try:
        listed = yaml.safe_load(read(file, "the labelled messages", CASES_LIMIT))
        if not isinstance(listed, list):
            raise CaseError("It is not a list of labelled messages.")
        verdicts = [judge(Case.parse(raw)) for raw in listed]
    except (yaml.YAMLError, CaseError) as error:
        raise click.ClickException(f"{one_line(file)}: {one_line(error)}") from error
    wrong = [verdict for verdict in verdicts if not verdict.right]
    told = [
        {"id": v.case.id, "missing": list(v.missing), "unexpected": list(v.unexpected), "blocked": v.blocked}
        for v in wrong
    ]  # fmt: skip
    if as_json:
        put_json({"total": len(verdicts), "wrong": told, "by_rule": by_rule(verdicts)})
        return bool(wrong)
    for verdict, entry in zip(wrong, told, strict=True):
        put(f"{one_line(verdict.case.id)}", fg="red")
        put(f"  expected {', '.join(sorted(verdict.case.expect)) or 'nothing'}; blocked {verdict.case.blocked}")
        missing, unexpected = (", ".join(ids) or "nothing" for ids in (verdict.missing, verdict.unexpected))
        put(f"  missing {missing}; unexpected {unexpected}; blocked {entry['blocked']}")
    totals = (
        f"{rule} {n['expected'] - n['missing']}/{n['expected']}" + (f" +{n['unexpected']}" if n["unexpected"] else "")
        for rule, n in by_rule(verdicts).items()
    )
    put(f"Found of expected, and what was unexpected: {', '.join(totals)}")
    put(f"{len(verdicts) - len(wrong)} of {len(verdicts)} came out as labelled.", bold=True)
    return bool(wrong)
