"""Templates over REST and the command line, to a text that waits for its two signatures like any other."""

from __future__ import annotations

import secrets

from tests.support.desk import Desk, printed

VALUES = {"product": "Example Web", "since": "now", "action": "change your password", "guide": "https://help.example.net/password"}
KNOWN = {"own_domains": ["example.com"], "allowed_domains": ["help.example.net"]}


def test_they_are_listed_and_shown_with_a_sample(desk: Desk) -> None:
    listed = desk.http.get("/v1/templates").json()["items"]
    assert {"id": "help", "kind": "help"}.items() <= next(item for item in listed if item["id"] == "help").items()
    for item in listed:
        shown = desk.http.get(f"/v1/templates/{item['id']}").json()
        assert shown["variables"]
        assert "{" in shown["text"]
        assert shown["sample"]["text"]
        assert shown["sample"]["blocked"] is False
    assert desk.http.get("/v1/templates/none").status_code == 404


def test_filling_answers_with_words_and_findings_and_keeps_nothing(desk: Desk) -> None:
    before = desk.http.get("/v1/announcements").json()
    told = desk.post("/v1/templates/website-compromised/fill", {"values": VALUES, "incident": KNOWN}).json()
    assert (told["kind"], told["version"], told["blocked"]) == ("initial", 1, False)
    assert told["text"].startswith("If you used Example Web since ")
    assert told["if_affected"] == "Please change your password now."
    assert told["facts"]["affected_products"] == ["Example Web"]
    elsewhere = desk.post(
        "/v1/templates/website-compromised/fill",
        {"values": VALUES, "incident": KNOWN | {"own_domains": ["kurva.fi"], "allowed_domains": []}},
    ).json()
    assert "link-not-allowed" in {found["rule"] for found in elsewhere["findings"]}
    assert elsewhere["blocked"] is True
    assert desk.http.get("/v1/announcements").json() == before


def test_what_is_missing_or_does_not_fit_is_named_field_by_field(desk: Desk) -> None:
    answer = desk.post("/v1/templates/website-compromised/fill", {"values": {"since": "soon", "product": "see evil.com"}})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert {error["field"] for error in answer.json()["errors"]} == {"values.since", "values.action"}
    linked = desk.post("/v1/templates/website-compromised/fill", {"values": VALUES | {"product": "see evil.com"}})
    assert [error["field"] for error in linked.json()["errors"]] == ["values.product"]
    assert desk.post("/v1/templates/website-compromised/fill", {"values": {"since": "a\nb"}}).status_code == 422
    assert desk.post("/v1/templates/website-compromised/fill", {"colour": "red"}).status_code == 422
    assert desk.post("/v1/templates/none/fill", {}).status_code == 404


def test_an_incident_that_exists_tells_what_is_known_of_it(desk: Desk) -> None:
    name = f"Incident {secrets.token_hex(4)}"
    opened = desk.announce(incident={"name": name, "affected_products": ["Example Mobile"], "affected_domains": ["example.com"]})
    path = "/v1/templates/dns-hijacked/fill"
    told = desk.post(path, {"values": {"since": "now", "action": "change your password"}, "incident": opened["incident"]["id"]})
    assert "If you opened example[.]com since" in told.json()["text"]
    assert desk.post(path, {"values": {}, "incident": "in_nowhere"}).status_code == 404


def test_a_template_is_announced_from_the_command_line_and_needs_two_signatures(desk: Desk) -> None:
    name = f"Incident {secrets.token_hex(4)}"
    given = [part for pair in VALUES.items() for part in ("--set", "=".join(pair))]
    facts = ("--own-domain", "example.com", "--safe-link", "https://help.example.net")
    told = desk.tocsin("announce", "--incident", name, *facts, "--template", "website-compromised", *given, "--json")
    accepted = printed(told)
    assert accepted["state"] == "awaiting_approval"
    assert (accepted["kind"], accepted["missing"]["approvals"], accepted["missing"]["overrides"]) == ("initial", 2, [])
    assert accepted["wording"]["answers"]["if_affected"] == "Please change your password now."
    incident = desk.http.get(f"/v1/incidents/{accepted['incident']['id']}").json()
    assert incident["facts"]["affected_products"] == ["Example Web"]
    assert incident["facts"]["started"]

    again = desk.tocsin("revise", accepted["id"], "--template", "website-compromised", *given, "--set", "action=call your bank", "--json")
    revised = printed(again)
    assert revised["revision"] == 2
    assert "call your bank now" in revised["text"]
    assert "is of the kind initial" in desk.tocsin(
        "revise", accepted["id"], "--template", "help", "--ask", code=2, stdin="X\nhttps://a.example\n"
    )

    assert desk.approve_by_both(accepted["id"]).json()["state"] == "approved"
    sent = desk.await_state(accepted["id"], "sent", "incomplete")
    assert next(d for d in sent["deliveries"] if d["role"] == "primary")["state"] == "posted"


def test_asking_goes_from_question_to_question(desk: Desk) -> None:
    name = f"Incident {secrets.token_hex(4)}"
    answers = "Example Web\nlogins that were not our users'\n1\n\n"  # a suggestion by its number; the next update as it is by default
    told = desk.tocsin("announce", "--incident", name, "--template", "unknown-yet", "--ask", stdin=answers)
    assert "What did you see? Only what is certain." in told
    assert "Until we do, please do not sign in or send funds." in told
    assert "awaiting approval" in told


def test_a_public_report_is_answered_by_what_is_known_of_it(desk: Desk) -> None:
    name = f"Report {secrets.token_hex(4)}"
    answers = "1\nAda Lovelace\nlogins without a password\nExample Web\nsign out everywhere\n\n"
    told = desk.tocsin("announce", "--incident", name, "--report", "--json", stdin=answers)
    accepted = printed(told)
    assert (accepted["kind"], accepted["missing"]["overrides"]) == ("report-answer", [])
    assert accepted["text"].startswith("Thank you to Ada Lovelace for the report about logins without a password.")


def test_a_template_needs_its_name_and_is_the_only_text(desk: Desk) -> None:
    incident = ("announce", "--incident", "None at all")
    assert "name it with --template" in desk.tocsin(*incident, "--set", "a=b", code=2)
    assert "a template is one" in desk.tocsin(*incident, "--template", "help", "--text", "Hello.", code=2)
    assert "Write NAME=VALUE" in desk.tocsin(*incident, "--template", "help", "--set", "a", code=2)
    refused = desk.tocsin(*incident, "--template", "help", code=1)
    assert "values.product: is missing" in refused
    listed = desk.tocsin("templates")
    assert "website-compromised" in listed
    shown = desk.tocsin("templates", "show", "website-compromised")
    assert "If you used {product} since {since}, {action} now." in shown
    assert "With sample values:" in shown
    assert printed(desk.tocsin("templates", "show", "help", "--json"))["kind"] == "help"
    assert "There is no such template." in desk.tocsin("templates", "show", "none", code=1)
