// The approval page: check the request, show what it says, sign what the person decides, tell how it goes on.
// Opening and reading change nothing; only a signed decision is ever POSTed.

import { challenge, statement, tidyComment } from "./bytes.js";
import { changes } from "./changes.js";
import { button, copyable, el, once, when } from "./dom.js";
import { decisionDialog } from "./dialog.js";
import { heldBack, refresh } from "./exclude.js";
import { progress, sentence, watch } from "./progress.js";
import { correction, everythingElse, links, renderings } from "./renderings.js";
import { Untrusted, examine, shortDigest, unanswered } from "./request.js";
import { explain, sign, supported } from "./passkey.js";
import { isSealed, momentOf, sealNeeds, sealNotice } from "./seal.js";

const page = document.getElementById("page");
const environment = document.documentElement.dataset.environment;
const request = JSON.parse(document.getElementById("request").textContent);

const KINDS = {
  initial: "First announcement", update: "Update", resolution: "Resolution", summary: "Summary", postmortem: "Post-mortem",
  "report-answer": "Answer to a public report", help: "Call for help", correction: "Correction",
};
const DONE = { approve: "Signed.", reject: "Rejected, with your signature.", "request-changes": "Sent back to the author, with your signature.", unseal: "Unsealed, with your signature." };
const DRILL = environment === "drill";

const named = request.csrf ? `${request.announcement} --person ${request.person}` : `${location.origin}${location.pathname}`;
const terminal = (verb = "approve") => `tocsin ${verb} ${named} --key ~/.ssh/id_ed25519`;

const status = el("p.status", { role: "status" });
function say(text, tone = "", ...more) {
  status.className = `status ${tone}`;
  status.replaceChildren(text, ...more);
}

// ---- what is shown -------------------------------------------------------------------------------------------------------

function alerts(manifest) {
  const blocks = unanswered(request.findings, manifest.overrides);
  const excerpt = (text) => (text ? el("q", { dir: "auto" }, text) : null);
  const broken = request.broken_destinations ?? [];
  const held = (request.held ?? []).filter(({ destination }) => manifest.destinations.some(({ id }) => id === destination));
  if (!blocks.length && !manifest.overrides.length && !broken.length && !held.length) return "";
  return el("section.alerts", { "aria-label": "Read this first" },
    blocks.map((finding) => el("div.alert.block", {},
      el("p.alert-title", {}, `Blocked: ${finding.rule}`), el("p", { dir: "auto" }, finding.message), excerpt(finding.excerpt))),
    manifest.overrides.map((override) => el("div.alert.block", {},
      el("p.alert-title", {}, `Overridden: ${override.rule}`),
      request.findings.filter(({ rule, severity }) => rule === override.rule && severity === "block").map(({ message }) => el("p", { dir: "auto" }, message)),
      excerpt(override.excerpt),
      el("p", { dir: "auto" }, el("strong", {}, "The reason that you sign: "), override.reason))),
    held.map((hold) => el("div.alert", {},
      el("p.alert-title", {}, "Nothing is sent to ", el("span", { dir: "auto" }, hold.destination)), el("p", { dir: "auto" }, heldBack(hold)), instead(hold, held, manifest))),
    broken.map(({ destination, detail }) => el("div.alert", {},
      el("p.alert-title", {}, "Out of order: ", el("span", { dir: "auto" }, destination)), el("p", { dir: "auto" }, detail))));
}

/** Who carries the full text where the one that was to is left out before it posted. */
function instead({ destination, kind }, held, manifest) {
  if (kind !== "excluded" || destination !== manifest.primaries[0] || request.deliveries?.length) return null;
  const next = manifest.primaries.find((id) => !held.some((hold) => hold.destination === id));
  return el("p", {}, next ? `${next} carries the full text in its place.` : "Nobody is left to carry the full text: pointers cannot go out.");
}

function heading(manifest) {
  document.title = `${DRILL ? "[DRILL] " : ""}${manifest.incident.name}: approve or stop`;
  const by = manifest.author || manifest.submitted_by;
  return el("header.title", {},
    el("p.eyebrow", {}, `${KINDS[manifest.kind] ?? manifest.kind} · revision ${manifest.revision}`),
    el("h1", { dir: "auto" }, manifest.incident.name),
    el("p.soft", {}, "Written by ", el("span", { dir: "auto" }, by || "a machine"), ", ", when(manifest.created_at), "."),
    request.usable ? el("p.soft", {}, "For ", el("span", { dir: "auto" }, request.person_name || request.person), " alone, until ", when(request.expires_at), ".") : null);
}

const beginning = (text) => (text.length > 160 ? `${text.slice(0, 160)}…` : text);

function remarks() {
  const others = request.findings.filter(({ severity }) => severity !== "block");
  if (!others.length) return null;
  return el("details.card.remarks", {},
    el("summary", {}, others.length === 1 ? "One remark on the wording" : `${others.length} remarks on the wording`),
    el("ul", {}, others.map((finding) => el("li", {},
      el("span.rule", {}, finding.rule), " ", el("span", { dir: "auto" }, finding.message), " ", finding.excerpt ? el("q", { dir: "auto" }, beginning(finding.excerpt)) : null))));
}

const terminalHelp = () => el("details.card.more", { id: "terminal" },
  el("summary", {}, "Sign from a terminal instead"),
  el("p", {}, "On a machine with your SSH key. It shows you the same text and the same digest."),
  copyable(terminal(), "Copy"),
  el("p", {}, "To stop it, write ", el("code", {}, "tocsin reject"), " in place of ", el("code", {}, "tocsin approve"), "."));

function showTerminalHelp() {
  const help = document.getElementById("terminal");
  help.open = true;
  help.scrollIntoView();
  help.querySelector("summary").focus({ preventScroll: true });
}

function refuse(error) {
  const untrusted = error instanceof Untrusted;
  page.replaceChildren(
    el("section.alert.block.refusal", { role: "alert" },
      el("h1", {}, untrusted ? "Do not sign this" : "This page cannot sign"),
      el("p", {}, error.message),
      el("p", {}, untrusted
        ? "Something between the author and you was changed or mixed up. Nothing was signed. Tell your team over another channel, and use a new link."
        : "Nothing was signed. Sign from a terminal instead:")),
    untrusted ? el("p.soft", {}, `The digest that you were asked to sign begins with ${shortDigest(String(request.digest))}.`) : copyable(terminal(), "Copy"));
}

// ---- what is signed ------------------------------------------------------------------------------------------------------

let kept = null; // the last signed approval, until the server has it: a lost network costs no second signature

async function prepared(manifest, decision, comment) {
  const text = statement(request, manifest, decision, comment, decision === "unseal" ? momentOf(request, DRILL) : "");
  return { decision, comment, text, challenge: await challenge(text) };
}

async function signed(ready) {
  if (kept?.text === ready.text) return kept.approval;
  say("Waiting for your passkey…");
  const signature = await sign(ready.challenge, request);
  kept = { text: ready.text, approval: { statement: ready.text, signature } };
  return kept.approval;
}

class Refused extends Error {}

async function send(approval) {
  say("Sending your signature…");
  const answer = await fetch(location.pathname, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(request.csrf ? { "X-CSRF-Token": request.csrf } : {}) },
    body: JSON.stringify(approval),
    redirect: "error",
    signal: AbortSignal.timeout?.(20000),
  });
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  if (answer.status === 429 || answer.status >= 500) throw new TypeError(body.title);
  kept = null;
  throw new Refused([body.title ?? `The server refused (${answer.status}).`, body.detail].filter(Boolean).join(" "));
}

function troubled(error) {
  const words = explain(error);
  if (words) return say(`Nothing was signed. ${words}`, "bad", button("Or sign from a terminal", "quiet", showTerminalHelp));
  if (error instanceof Refused) return say(error.message, "bad");
  if (kept) return say("The server was not reached. Your signature is kept on this page: press again, it is safe.", "bad");
  return say(`Nothing was signed. ${error.message}`, "bad");
}

const decide = once(async (ready, finish) => {
  document.body.setAttribute("aria-busy", "true");
  try {
    finish(ready, await send(await signed(ready)));
  } catch (error) {
    troubled(error);
  } finally {
    document.body.removeAttribute("aria-busy");
  }
});

// ---- what can be pressed -------------------------------------------------------------------------------------------------

function needed(manifest) {
  if (!isSealed(request) && unanswered(request.findings, manifest.overrides).length) return "Blocked: it cannot be approved as it is.";
  if (manifest.seal) return sealNeeds(request);
  if (request.missing === 1 && request.cli_signature) return "What sends it is a signature from a terminal; one from this page does not.";
  if (request.missing > 1) return `Your signature and ${request.missing === 2 ? "one" : request.missing - 1} more send it.`;
  const later = manifest.not_before && new Date(manifest.not_before) > Date.now();
  return later ? ["Your signature sends it, ", when(manifest.not_before), "."] : "Your signature sends it.";
}

/** What can be done with what is sealed: one signature sends it, and one signature ends it. */
function unsealing(manifest, finish) {
  const ask = (decision, asked) => decisionDialog(asked, async (typed) => decide(await prepared(manifest, decision, tidyComment(typed)), finish));
  return el("section.actions", { "aria-label": "Your decision" },
    el("p.needed", {}, sealNeeds(request), " ", el("span.digest", { title: request.digest }, "Digest ", el("code", {}, shortDigest(request.digest)), " ✓ checked here")),
    status,
    button(DRILL ? "Unseal and send (drill)" : "Unseal and send", "primary", ask("unseal", {
      heading: "Unseal it, and send it now", told: ["It goes out at once, by your signature alone. It cannot be taken back, only corrected."],
      label: "Why now? Everyone on the team reads it.", required: false })),
    el("div.others", {}, button("Revoke the seal", "secondary.stop", ask("reject", {
      heading: "Revoke the seal", told: ["Nobody can send it any more, unless two people sign it again."], label: "Why? The record gets it.", required: false }))));
}

function actions(manifest, approve, finish) {
  if (isSealed(request)) return unsealing(manifest, finish);
  const blocked = unanswered(request.findings, manifest.overrides).length > 0;
  const ask = (decision, heading, label, required) => decisionDialog({ heading, label, required }, async (typed) =>
    decide(await prepared(manifest, decision, tidyComment(typed)), finish));
  const label = manifest.seal ? "Sign and seal" : "Approve and sign";
  const primary = button(DRILL ? `${label} (drill)` : label, "primary", () => (blocked
    ? say("A finding blocks this revision: the author changes the text, or overrides the finding with a reason.", "bad")
    : decide(approve, finish)));
  if (blocked) primary.setAttribute("aria-disabled", "true");
  return el("section.actions", { "aria-label": "Your decision" },
    el("p.needed", {}, needed(manifest), " ", el("span.digest", { title: request.digest }, "Digest ", el("code", {}, shortDigest(request.digest)), " ✓ checked here")),
    status,
    primary,
    el("div.others", {},
      button("Ask for changes", "secondary", ask("request-changes", "Ask for changes", "What should be changed?", true)),
      button("Reject", "secondary.stop", ask("reject", "Reject this revision", "Why? The author and the record get it.", false))));
}

/** Without a passkey: another browser (mail and chat apps open links in one that has none), or a terminal. */
function noPasskey() {
  const elsewhere = "This browser cannot use passkeys. Copy the link into your phone’s own browser, or sign from a terminal:";
  return el("section.actions", { "aria-label": "Your decision" },
    el("p.needed", {}, supported() ? "You have no passkey for this address, so sign from a terminal:" : elsewhere),
    supported() ? null : copyable(location.href, "Copy the link"),
    copyable(terminal(), "Copy the command"));
}

function closed() {
  return el("section.actions", { "aria-label": "Your decision" }, el("p.needed", { role: "status" }, request.why_not || "This link cannot be used any more."));
}

// ---- all together --------------------------------------------------------------------------------------------------------

async function start() {
  const manifest = await examine(request, environment);
  const approve = await prepared(manifest, "approve", ""); // before the tap, so that the tap itself asks for the passkey
  const standing = el("div.standing", { "aria-live": "polite" }, progress(request, manifest));
  const decision = el("div.decision");
  const outlook = el("span");
  const above = el("div.above", {}, sealNotice(request, manifest), alerts(manifest));
  const moved = () => {
    above.replaceChildren(...[sealNotice(request, manifest), alerts(manifest)].filter(Boolean));
    refresh();
    standing.replaceChildren(progress(request, manifest));
    outlook.textContent = sentence(request, manifest);
  };
  const follow = watch(request, {
    moved,
    closed: () => { if (!outlook.isConnected) decision.replaceChildren(closed()); },
  });
  const finish = (ready, outcome) => {
    Object.assign(request, { state: outcome.state, missing: outcome.missing, usable: false, why_not: "" });
    moved();
    const result = el("section.actions", { tabindex: -1, "aria-label": "Result" }, el("p.needed.result", {}, `${DONE[ready.decision]} `, outlook));
    decision.replaceChildren(result);
    result.focus({ preventScroll: true });
    scrollTo({ top: 0 });
    follow.faster();
  };
  const choose = () => (supported() && request.passkeys.length ? actions(manifest, approve, finish) : noPasskey());
  decision.append(request.usable ? choose() : closed());
  page.replaceChildren(
    el("div.reading", {}, above, heading(manifest), standing, remarks(), changes(request), renderings(manifest, { request, moved }), correction(manifest),
      links(manifest), everythingElse(manifest, request), decision.querySelector(".primary") ? terminalHelp() : null),
    decision);
}

start().catch(refuse);
