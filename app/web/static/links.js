// What a text holds besides words: links, the permalink's slot, and characters that nobody would see. Platforms differ in what they
// make clickable; like the wording checks this takes the union. Nothing found here is ever made clickable.

import { el } from "./dom.js";

export const SLOT = "{{permalink}}";

// No look-behind: phones of 2022 lack it. What stands before a match is looked at by hand.
const LABEL = "[\\p{L}\\p{N}_](?:[\\p{L}\\p{N}\\p{M}_\\u00ad\\u200b-\\u200d\\u2060\\ufeff-]*[\\p{L}\\p{N}])?";
const NAME = `(?:${LABEL}[.。．｡])+\\p{L}[\\p{L}\\p{N}-]+`;
const ADDRESS = "\\d{1,3}(?:\\.\\d{1,3}){3}";
const TAIL = "[^\\s<>\"'`{}|\\\\^]*";
const PIECE = new RegExp(
  [
    "(?<slot>\\{\\{permalink\\}\\})",
    `(?<mail>(?:mailto:)?[\\p{L}\\p{N}._%+-]+@${NAME})`,
    `(?<link>[a-z][a-z0-9+.-]*:\\/\\/${TAIL}|(?:javascript|data|vbscript|tg|file):${TAIL}|${NAME}(?::\\d+)?(?:[/?#]${TAIL})?|${ADDRESS}(?::\\d+)?(?:[/?#]${TAIL})?)`,
  ].join("|"),
  "giu",
);

/** The text in order, as `{kind: "text"|"slot"|"mail"|"link", text}`; joined, the pieces are the text. */
export function pieces(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(PIECE)) {
    let kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined);
    const shown = kind === "link" ? trimmed(match[0]) : match[0];
    if (kind === "link" && !leads(shown)) kind = "text";
    if (match.index > end) found.push({ kind: "text", text: text.slice(end, match.index) });
    found.push({ kind, text: shown });
    end = match.index + shown.length;
  }
  if (end < text.length) found.push({ kind: "text", text: text.slice(end) });
  return found;
}

/** Closing punctuation and unmatched brackets belong to the sentence, not to the link. */
function trimmed(url) {
  let link = url;
  for (;;) {
    const last = link.at(-1);
    const opens = { ")": "(", "]": "[" }[last];
    const unmatched = opens && link.split(last).length > link.split(opens).length;
    if (!unmatched && !/[.,;:!?*_~»”’…]/u.test(last ?? "")) return link;
    link = link.slice(0, -1);
  }
}

/** Where a link leads: the URL that a browser would open; null where it opens nothing. */
export function leads(shown) {
  const whole = /^[a-z][a-z0-9+.-]*:/iu.test(shown) && !/^[^/]+:\d/u.test(shown);
  if (!whole && /\p{Ll}\.\p{Lu}\p{Ll}*$/u.test(shown)) return null; // "come back.We": a sentence without its space
  try {
    return new URL(whole ? shown : `https://${shown}`);
  } catch {
    return null;
  }
}

const bare = (entry) => {
  const name = entry.replace(/^[a-z][a-z0-9+.-]*:\/\//iu, "").split(/[/?#]/u)[0].replace(/:\d+$/u, "");
  return leads(name)?.hostname.replace(/\.$/u, "") ?? name.toLowerCase();
};

const within = (host, domains) => (domains ?? []).some((entry) => {
  const domain = bare(entry);
  return domain && (host === domain || host.endsWith(`.${domain}`));
});

/** What a reader should know about a link, worst first; `facts` is the signed incident. */
export function warnings(shown, url, facts) {
  const host = url.hostname.replace(/\.$/u, "");
  const said = [];
  if (within(host, facts.affected_domains)) said.push("affected by this incident");
  else if (!within(host, [...(facts.own_domains ?? []), ...(facts.safe_links ?? [])])) said.push("not one of your domains or safe links");
  if (!["https:", "http:"].includes(url.protocol)) said.push(`opens ${url.protocol} instead of a page`);
  if (url.protocol === "http:") said.push("not encrypted");
  if (url.username || url.password) said.push("what stands before the @ is a decoy");
  const typed = shown.toLowerCase().includes(host);
  if (host && !typed) said.push(`written with other letters: ${shown}`);
  return said;
}

/** Every link of these texts once: `{shown, url, mail}`. */
export function linksOf(texts) {
  const found = new Map();
  for (const piece of texts.flatMap(pieces)) {
    if (piece.kind === "mail") found.set(piece.text, { shown: piece.text, mail: true, url: null });
    if (piece.kind === "link") {
      const url = leads(piece.text);
      found.set(url.href, found.get(url.href) ?? { shown: piece.text, url, mail: false });
    }
  }
  return [...found.values()];
}

const HIDDEN = /[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\u{e0000}-\u{e0fff}\u0000-\u0008\u000b-\u001f\u007f-\u009f]/gu;
const JOINER = /[\u200c\u200d]/u;
const PLAIN = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{N}\p{P}\p{Z}]$/u;
const FLAG_TAG = /[\u{e0020}-\u{e007f}]/u;

/** Characters that nobody would see, by their number; where emoji or a script need one, it stays as it is. */
function revealed(text) {
  const nodes = [];
  let end = 0;
  for (const { 0: character, index } of text.matchAll(HIDDEN)) {
    const before = text.slice(0, index);
    if (JOINER.test(character) && before && !PLAIN.test(before)) continue;
    if (FLAG_TAG.test(character) && /\u{1f3f4}[\u{e0020}-\u{e007f}]*$/u.test(before)) continue;
    const number = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    nodes.push(text.slice(end, index), el("span.hidden-character", { title: "A character that nobody would see" }, number));
    end = index + character.length;
  }
  return [...nodes, text.slice(end)];
}

/** The nodes of a text: exact words, links underlined, the slot as a chip, hidden characters by their number. */
export function shown(text, slotLabel) {
  return pieces(text).map(({ kind, text: said }) => {
    if (kind === "slot") return el("span.slot", {}, slotLabel);
    return kind === "link" ? el("span.link", {}, revealed(said)) : revealed(said);
  });
}
