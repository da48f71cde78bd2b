// From the manifest to what a reviewer reads: every rendering, every link, and everything else that the signature covers.
// Built only from the text that was hashed. What this page does not know by name it shows as it stands, rather than leave it out.

import { copyable, el, when } from "./dom.js";
import { SLOT, linksOf, shown, warnings } from "./links.js";

const PLATFORMS = {
  x: "X", reddit: "Reddit", telegram: "Telegram", discord: "Discord", discord_webhook: "Discord", slack: "Slack", mastodon: "Mastodon",
  bluesky: "Bluesky", email: "E-mail", banner: "Homepage banner", manual: "Posted by hand", matrix: "Matrix", nostr: "Nostr",
};
const ENTRY = ["id", "platform", "role", "account", "full", "pointer", "reply_to", "on_unknown"];
const PART = ["text", "title", "standalone"];

export const platform = (entry) => PLATFORMS[entry?.platform] ?? entry?.platform ?? "the primary";

const primaryOf = (manifest) => manifest.destinations.find(({ id, role }) => id === manifest.primaries[0] && role === "primary");

const sections = (primary) => [
  ["primary", `In full on ${platform(primary)}`, ""],
  ["partner", "Told first, in private", "These people read it before anyone else."],
  ["pointer", "Pointers", `Sent as soon as the post on ${platform(primary)} exists.`],
  ["banner", "On your homepage", ""],
  ["internal", "For your own team", ""],
];

/** The sections with every rendering, destinations with exactly the same words in one card. */
export function renderings(manifest) {
  const primary = primaryOf(manifest);
  const known = sections(primary);
  const read = new Map(); // words that stand on the page already -> where
  const others = manifest.destinations.filter(({ role }) => !known.some(([name]) => name === role)).map(({ role }) => [role, role, ""]);
  return [...known, ...new Map(others.map((other) => [other[0], other])).values()].map(([role, heading, note]) => {
    const entries = manifest.destinations.filter((entry) => entry.role === role);
    if (!entries.length) return null;
    return el("section.renderings", { "aria-labelledby": `role-${role}` },
      el("h2", { id: `role-${role}` }, heading),
      note ? el("p.soft", {}, note) : null,
      grouped(entries).map((group) => card(group, primary, read)));
  });
}

function grouped(entries) {
  const groups = new Map();
  for (const entry of entries) {
    const { id, account, ...same } = entry;
    const key = JSON.stringify(same);
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  return [...groups.values()];
}

function card(group, primary, read) {
  const [entry] = group;
  const planned = entry.role === "pointer" ? "pointer" : "full";
  const other = planned === "full" ? "pointer" : "full";
  const words = (form) => thread(form, `link to the post on ${platform(primary)}`, read, entry);
  const condition = other === "full"
    ? `Only if ${platform(primary)} cannot be posted, this is the primary and says in full:`
    : "Only if another destination becomes the primary:";
  return el(`article.card.${entry.role}`, {},
    el("header.where", {},
      el("h3", {}, group.length > 1 ? `${platform(entry)}: ${group.length} times these exact words` : platform(entry)),
      el("ul.accounts", {}, group.map(({ id, account }) => el("li", {}, el("span", {}, id), " ", el("span.soft", {}, account))))),
    entry[planned] ? words(entry[planned]) : el("p.alert", {}, "There is no text for this destination."),
    entry[other] ? el("div.only-if", {}, el("p.condition", {}, condition), words(entry[other])) : null,
    smallPrint(entry));
}

/** The posts of a rendering; words that were read above, letter for letter, are folded up and said to be the same. */
function thread({ parts, ...unknown }, slot, read, entry) {
  const key = JSON.stringify(parts.map(({ title, ...said }) => said));
  const before = read.get(key);
  if (!before) read.set(key, `${platform(entry)} (${entry.id})`);
  const posts = el("ol.thread", {}, parts.map((part, at) => el("li", {}, post(part, slot, at, parts.length))));
  if (!before) return [posts, rest(unknown, [])];
  const titles = parts.filter(({ title }) => title).map(({ title }) => el("p.post-title.titles", { dir: "auto" }, shown(title, slot)));
  return [titles, el("details.same", {}, el("summary", {}, `Exactly the words on ${before}`), posts), rest(unknown, [])];
}

function post(part, slot, at, count) {
  const length = Array.from(part.text.replaceAll(SLOT, "")).length;
  const number = count > 1 ? `Part ${at + 1} of ${count} · ` : "";
  return el("div.post", {},
    part.title ? el("p.post-title", { dir: "auto" }, shown(part.title, slot)) : null,
    el("p.said", { dir: "auto" }, shown(part.text, slot)),
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
  const unknown = entry.on_unknown === "ask" ? null : el("li", {}, `If it stays unknown whether it was posted: ${entry.on_unknown}`);
  const reply = entry.reply_to ? el("li", {}, "A reply to ", entry.reply_to.permalink || entry.reply_to.remote_id || JSON.stringify(entry.reply_to)) : null;
  return [unknown || reply ? el("ul.small-print", {}, reply, unknown) : null, rest(entry, ENTRY)];
}

/** Signed fields that this page does not know: shown as they stand. */
function rest(object, known) {
  const unknown = Object.keys(object).filter((key) => !known.includes(key));
  return unknown.length ? el("p.alert", {}, "Also signed, and unknown to this page: ", unknown.map((key) => `${key} = ${JSON.stringify(object[key])} `)) : null;
}

function textsOf(manifest) {
  const forms = manifest.destinations.flatMap(({ full, pointer }) => [full, pointer]).filter(Boolean);
  return forms.flatMap(({ parts }) => parts.flatMap(({ text, title, standalone }) => [text, title ?? "", standalone ?? ""]));
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
  kind: "Kind", environment: "Environment", announcement: "Announcement", revision: "Revision", author: "Author", submitted_by: "Submitted by",
  primaries: "Primary, then its fallbacks", not_before: "Not before", not_after: "Not after", banner_until: "Banner until",
  roster_version: "Roster version", created_at: "Written", text: "The text that all of this was made from", format: "Format",
};
const TIMES = ["not_before", "not_after", "banner_until", "created_at"];
const SHOWN_ABOVE = ["destinations", "overrides", "answers", "incident"];

/** Everything else under the signature, to the last byte. */
export function everythingElse(manifest, request) {
  const row = (label, value) => [el("dt", {}, label), el("dd", { dir: "auto" }, value)];
  const plain = (value) => {
    if (value === "" || value === null || (Array.isArray(value) && !value.length)) return "none";
    if (Array.isArray(value) && value.every((item) => typeof item === "string")) return shown(value.join(", "), SLOT);
    return shown(typeof value === "string" ? value : JSON.stringify(value, null, 1), SLOT);
  };
  const own = Object.keys(manifest).filter((key) => !SHOWN_ABOVE.includes(key));
  return el("details.card.more", {},
    el("summary", {}, "Everything else that you sign"),
    el("dl", {},
      row("Digest", el("code", {}, request.digest)),
      Object.entries(manifest.answers ?? {}).map(([key, value]) => row(ANSWERS[key] ?? key, plain(value))),
      own.map((key) => row(LABELS[key] ?? key, TIMES.includes(key) && manifest[key] ? when(manifest[key]) : plain(manifest[key]))),
      Object.entries(manifest.incident ?? {}).map(([key, value]) => row(`Incident: ${key.replaceAll("_", " ")}`, plain(value)))),
    el("details", {}, el("summary", {}, "The exact bytes"), copyable(request.manifest, "Copy")));
}
