// From the manifest to what a reviewer reads: every rendering, every link, and everything else that the signature covers.
// Built only from the text that was hashed. What this page does not know by name it shows as it stands, rather than leave it out.

import { copyable, el, when } from "./dom.js";
import { account } from "./exclude.js";
import { SLOT, linksOf, shown, warnings } from "./links.js";
import { sealedWith } from "./request.js";

const PLATFORMS = {
  x: "X", reddit: "Reddit", telegram: "Telegram", discord: "Discord", discord_webhook: "Discord", slack: "Slack", mastodon: "Mastodon",
  bluesky: "Bluesky", email: "E-mail", banner: "Homepage banner", manual: "Posted by hand", matrix: "Matrix", nostr: "Nostr",
};
const ENTRY = ["id", "platform", "role", "account", "full", "pointer", "reply_to", "on_unknown", "resend_after", "language"];
const PART = ["text", "title", "standalone"];

/** A language by its English name; what names none stays as it stands. */
function language(tag) {
  try {
    return new Intl.DisplayNames("en-GB", { type: "language" }).of(tag);
  } catch {
    return tag;
  }
}

export const platform = (entry) => PLATFORMS[entry?.platform] ?? entry?.platform ?? "the primary";

/** Who may carry the full text, in the signed order. */
const mayLead = (manifest) => manifest.primaries.map((id) => manifest.destinations.find((entry) => entry.id === id && entry.full));
const twice = (entries, entry) => entries.filter((one) => platform(one) === platform(entry)).length > 1;
const named = (entries, and) => new Intl.ListFormat("en-GB", { type: and }).format(
  entries.map((entry) => (twice(entries, entry) ? `${platform(entry)} (${entry?.id})` : platform(entry))));
const inTime = (manifest) => (manifest.fallback_after ? `within ${manifest.fallback_after} seconds` : "in time");

/** What becomes of the full text where the primary fails, in one sentence; "" where nobody could take over. */
function takingOver(manifest) {
  const [first, ...others] = mayLead(manifest);
  if (!others.length) return "";
  const then = others.map((entry) => `${platform(entry)} (${entry?.id})`).join(", or else on ");
  return `If ${platform(first)} refuses it, is left out, or has not posted ${inTime(manifest)}, it goes out in full on ${then}. Everyone else then points there.`;
}

const sections = (manifest, primary) => [
  ["primary", `In full on ${platform(primary)}`, takingOver(manifest)],
  ["partner", "Told first, in private", "These people read it before anyone else."],
  ["pointer", "Pointers", `Sent as soon as the post on ${platform(primary)}${manifest.primaries.length > 1 ? " or its fallback" : ""} exists.`],
  ["banner", "On your homepage", ""],
  ["internal", "For your own team", ""],
];

/** The sections with every rendering, destinations with exactly the same words in one card. */
export function renderings(manifest, standing) {
  const [primary] = mayLead(manifest);
  const known = sections(manifest, primary);
  const read = new Map(); // words that stand on the page already -> where
  const others = manifest.destinations.filter(({ role }) => !known.some(([name]) => name === role)).map(({ role }) => [role, role, ""]);
  return [...known, ...new Map(others.map((other) => [other[0], other])).values()].map(([role, heading, note]) => {
    const entries = manifest.destinations.filter((entry) => entry.role === role);
    if (!entries.length) return null;
    return el("section.renderings", { "aria-labelledby": `role-${role}` },
      el("h2", { id: `role-${role}` }, heading),
      note ? el("p.soft", {}, note) : null,
      grouped(entries, manifest.primaries).map((group) => card(group, manifest, standing, read)));
  });
}

/** Those of the same words; who may lead stands alone, as each has its own turn. */
function grouped(entries, primaries) {
  const groups = new Map();
  for (const entry of entries) {
    const { id, account, ...same } = entry;
    const key = JSON.stringify([same, primaries.indexOf(id)]);
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  return [...groups.values()];
}

/** When the other form is sent, and to whom it then points. */
function otherwise(entry, manifest) {
  const order = mayLead(manifest);
  const before = order.slice(0, Math.max(order.findIndex((one) => one?.id === entry.id), 1));
  const others = order.filter((one) => one?.id !== entry.id);
  return entry.role === "pointer"
    ? [`Only if ${named(before, "conjunction")} cannot be posted ${inTime(manifest)}, it carries the full text:`, named(before, "disjunction")]
    : [`Only if ${named(others, "disjunction")} carries the full text in its place, it points there:`, named(others, "disjunction")];
}

function card(group, manifest, standing, read) {
  const [entry] = group;
  const [primary] = mayLead(manifest);
  const planned = entry.role === "pointer" ? "pointer" : "full";
  const other = planned === "full" ? "pointer" : "full";
  const words = (form, place, seen) => thread(form, `link to the post on ${place}`, seen, entry);
  const [condition, place] = entry[other] ? otherwise(entry, manifest) : ["", ""];
  return el(`article.card.${entry.role}`, {},
    el("header.where", {},
      el("h3", {}, group.length > 1 ? `${platform(entry)}: ${group.length} times these exact words` : platform(entry)),
      entry.language ? el("p.soft", {}, `In ${language(entry.language)}`) : null,
      el("ul.accounts", {}, group.map((one) => account(one, manifest, standing)))),
    group.some(({ id }) => (manifest.texts ?? []).some(({ destination }) => destination === id))
      ? el("p.alert", {}, "Other words than the announcement’s: its author wrote these for this destination alone.") : null,
    entry[planned] ? words(entry[planned], platform(primary), read) : el("p.alert", {}, "There is no text for this destination."),
    other === "full" && entry.full ? el("div.only-if", {}, el("p.condition", {}, condition), words(entry.full, place, read)) : null,
    // The pointer of one that is to lead is read where the pointers are, nearly always word for word; so it is folded up here.
    other === "pointer" && entry.pointer ? el("details.same", {}, el("summary", {}, condition), words(entry.pointer, place, new Map())) : null,
    smallPrint(entry));
}

/** The posts of a rendering; words that were read above, letter for letter, are folded up and said to be the same. */
function thread({ parts, ...unknown }, slot, read, entry) {
  const key = JSON.stringify(parts.map(({ title, ...said }) => said));
  const before = read.get(key);
  if (!before) read.set(key, `${platform(entry)} (${entry.id})`);
  const posts = el("ol.thread", {}, parts.map((part, at) => el("li", {}, post(part, slot, at, parts.length, entry.language || null))));
  if (!before) return [posts, rest(unknown, [])];
  const titles = parts.filter(({ title }) => title).map(({ title }) => el("p.post-title.titles", { dir: "auto", lang: entry.language || null }, shown(title, slot)));
  return [titles, el("details.same", {}, el("summary", {}, `Exactly the words on ${before}`), posts), rest(unknown, [])];
}

function post(part, slot, at, count, lang) {
  const length = Array.from(part.text.replaceAll(SLOT, "")).length;
  const number = count > 1 ? `Part ${at + 1} of ${count} · ` : "";
  return el("div.post", {},
    part.title ? el("p.post-title", { dir: "auto", lang }, shown(part.title, slot)) : null,
    el("p.said", { dir: "auto", lang }, shown(part.text, slot)),
    el("p.count", {}, `${number}${length} characters${part.text.includes(SLOT) ? " and the link" : ""}`),
    part.standalone ? alone(part) : null,
    rest(part, PART));
}

/** What goes out in place of a reply that the platform refuses; said short where it only adds something to the same words. */
function alone({ text, standalone }) {
  const [before, after, ...more] = standalone.split(text);
  if (text && after !== undefined && !more.length) {
    const added = [before, after].map((words) => words.trim()).filter(Boolean);
    return el("p.count", { dir: "auto" }, "If a reply is refused: sent by itself, adding ", added.map((words) => [el("q", {}, shown(words, "link to part 1")), " "]));
  }
  return el("div.only-if", {}, el("p.condition", {}, "If a reply is refused, sent by itself:"), el("p.said", { dir: "auto" }, shown(standalone, "link to part 1")));
}

function smallPrint(entry) {
  const unknown = unsure(entry);
  const reply = entry.reply_to ? el("li", {}, "A reply to ", entry.reply_to.permalink || entry.reply_to.remote_id || JSON.stringify(entry.reply_to)) : null;
  return [unknown || reply ? el("ul.small-print", {}, reply, unknown) : null, rest(entry, ENTRY)];
}

/** What is done where nobody can tell whether a post went out; a person being asked needs no words. */
function unsure({ on_unknown: wish, resend_after: after }) {
  if (wish === "ask" && !after) return null;
  if (wish === "resend" && after) return el("li", {}, `If nobody can tell whether it was posted: sent again after ${after} seconds. It may then stand there twice.`);
  return el("li", {}, `If nobody can tell whether it was posted: ${wish}${after === undefined ? "" : `, ${after}`}`);
}

/** The words that wait for the day on which all of this turns out to be wrong. */
export function correction(manifest) {
  if (sealedWith(manifest)) return correctionSealed(sealedWith(manifest), manifest.seal.correction);
  const others = (manifest.translations ?? []).filter((told) => told.correction);
  if (!manifest.correction && !others.length) return null;
  const said = (words, lang) => el("div.post", {}, el("p.said", { dir: "auto", lang }, shown(words, SLOT)));
  return el("section.renderings", { "aria-labelledby": "correction" },
    el("h2", { id: "correction" }, "Should it turn out to be wrong"),
    el("p.soft", {}, "Not sent now. It waits, and goes out as a reply to all of this only when two people have signed that too."),
    el("article.card", {}, manifest.correction ? said(manifest.correction, manifest.language || null) : null,
      others.map((told) => [el("p.soft", {}, `In ${language(told.language)}`), said(told.correction, told.language)])));
}

/** A correction that one person can send: every post of it, and all else that is signed of it. */
function correctionSealed(inner, text) {
  const place = platform(mayLead(inner)[0]);
  const posts = (entry, form, heading) => (form ? [el("p.condition", {}, heading), thread(form, `link to the post on ${place}`, new Map(), entry)] : null);
  return el("section.renderings", { "aria-labelledby": "correction" },
    el("h2", { id: "correction" }, "Should it turn out to be wrong: its correction, sealed with it"),
    el("p.soft", {}, "Not sent now. Once this is out, one person alone can send it, until ", when(inner.not_after), "."),
    grouped(inner.destinations, inner.primaries).map((group) => el("article.card", {},
      el("header.where", {}, el("h3", {}, platform(group[0])), el("p.soft", { dir: "auto" }, group.map(({ id, account: of }) => `${id} ${of}`).join(", ")),
        group[0].language ? el("p.soft", {}, `In ${language(group[0].language)}`) : null),
      group[0].role === "pointer" ? null : posts(group[0], group[0].full, ""),
      posts(group[0], group[0].pointer, group[0].role === "pointer" ? "" : "Only where another carries the full text:"),
      group[0].role === "pointer" ? posts(group[0], group[0].full, "Only where it carries the full text:") : null,
      smallPrint(group[0]))),
    everythingElse(inner, { digest: "part of the bytes that you sign", manifest: text }, "Everything else of the correction"));
}

/** Signed fields that this page does not know: shown as they stand. */
function rest(object, known) {
  const unknown = Object.keys(object).filter((key) => !known.includes(key));
  return unknown.length ? el("p.alert", {}, "Also signed, and unknown to this page: ", unknown.map((key) => `${key} = ${JSON.stringify(object[key])} `)) : null;
}

function textsOf(manifest) {
  const forms = manifest.destinations.flatMap(({ full, pointer }) => [full, pointer]).filter(Boolean);
  const posts = forms.flatMap(({ parts }) => parts.flatMap(({ text, title, standalone }) => [text, title ?? "", standalone ?? ""]));
  const corrections = [manifest, ...(manifest.translations ?? [])].map((told) => told.correction).filter(Boolean);
  const inner = sealedWith(manifest);
  return [...posts, ...corrections, ...(inner ? textsOf(inner) : [])];
}

/** Every link of every rendering, and where it really leads. */
export function links(manifest) {
  const found = linksOf(textsOf(manifest));
  const items = found.map(({ shown: typed, url, mail }) => {
    if (mail) return el("li", {}, el("span.url", {}, el("strong", {}, typed)), el("span.soft", {}, " an e-mail address"));
    const said = warnings(typed, url, manifest.incident);
    const path = `${url.pathname}${url.search}${url.hash}`.replace(/^\/$/, "");
    const scheme = url.protocol === "https:" || !url.host ? "" : `${url.protocol}//`;
    return el("li", {},
      el("span.url", { dir: "ltr" }, scheme, el("strong", {}, url.host || url.protocol), path),
      said.map((warning) => el("span.flag", {}, warning)));
  });
  return el("section.links", { "aria-labelledby": "links" },
    el("h2", { id: "links" }, found.length === 1 ? "The one link, and where it leads" : "All links, and where they lead"),
    items.length ? el("ul.card.plain", {}, items) : el("p.soft", {}, "None but those to the primary post."));
}


const ANSWERS = { affected: "Who is affected", if_affected: "What they do now", if_not_affected: "What everyone else does" };
const LABELS = {
  language: "Language of the text", kind: "Kind", environment: "Environment", announcement: "Announcement", revision: "Revision", author: "Author", submitted_by: "Submitted by",
  primaries: "Primary, then its fallbacks", fallback_after: "Seconds until the next fallback takes over", not_before: "Not before", not_after: "Not after", banner_until: "Banner until",
  correction: "Correction, written in advance", seal: "Seal", texts: "Own texts of single destinations", roster_version: "Roster version", created_at: "Written", text: "The text that all of this was made from", format: "Format",
};
const TIMES = ["not_before", "not_after", "banner_until", "created_at"];
const SHOWN_ABOVE = ["destinations", "overrides", "answers", "incident", "translations"]; // an empty correction is told among the others

/** A text in another language, with its answers; each destination that gets it shows it above, and its correction stands there too. */
function translated({ language: tag, text, answers, correction, ...unknown }, plain) {
  const row = (label, value) => (value ? [el("dt", {}, `In ${language(tag)}: ${label}`), el("dd", { dir: "auto", lang: tag }, plain(value))] : []);
  const told = Object.entries(answers ?? {}).map(([key, value]) => row(ANSWERS[key] ?? key, value));
  return [row("the text", text), told, rest(unknown, [])];
}

/** Everything else under the signature, to the last byte. */
export function everythingElse(manifest, request, heading = "Everything else that you sign") {
  const row = (label, value) => [el("dt", {}, label), el("dd", { dir: "auto" }, value)];
  const plain = (value) => {
    if (value === "" || value === null || (Array.isArray(value) && !value.length)) return "none";
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return shown(value.join(", "), SLOT);
    return shown(typeof value === "string" ? value : JSON.stringify(value, null, 1), SLOT);
  };
  const above = (key) => SHOWN_ABOVE.includes(key) || (["correction", "seal"].includes(key) && manifest[key]);
  const own = Object.keys(manifest).filter((key) => !above(key));
  return el("details.card.more", {},
    el("summary", {}, heading),
    el("dl", {},
      row("Digest", el("code", {}, request.digest)),
      Object.entries(manifest.answers ?? {}).map(([key, value]) => row(ANSWERS[key] ?? key, plain(value))),
      (manifest.translations ?? []).map((told) => translated(told, (value) => shown(value, SLOT))),
      own.map((key) => row(LABELS[key] ?? key, TIMES.includes(key) && manifest[key] ? when(manifest[key]) : plain(manifest[key]))),
      Object.entries(manifest.seal ?? {}).filter(([key]) => key !== "correction").map(([key, value]) => row(`Seal: ${key.replaceAll("_", " ")}`, plain(value))),
      Object.entries(manifest.incident ?? {}).map(([key, value]) => row(`Incident: ${key.replaceAll("_", " ")}`, plain(value)))),
    el("details", {}, el("summary", {}, "The exact bytes"), copyable(request.manifest, "Copy")));
}
