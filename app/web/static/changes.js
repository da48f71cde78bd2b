// What is another in this revision, word by word. The server compares; what is signed is the whole text below, so it is shown whole there.

import { el } from "./dom.js";
import { shown } from "./links.js";

const LONG = 240;
const MARKS = { out: "del", in: "ins" };

/** The section on what changed; null where there was no revision before. */
export function changes({ changes: told }) {
  if (!told) return null;
  const since = told.signed ? `revision ${told.since}, which you signed about` : `revision ${told.since}, the one before`;
  return el("section.changes", { "aria-labelledby": "changes" },
    el("h2", { id: "changes" }, told.items.length ? `What changed since ${since}` : `Nothing changed since ${since}`),
    told.items.map(({ where, also, pieces }) => el("article.card", {},
      el("h3", { dir: "auto" }, where, also.length ? el("span.soft", {}, ` and ${also.length} more, just so`) : null),
      el("p.said", { dir: "auto" }, pieces.map(([kind, text]) => piece(kind, text))))));
}

function piece(kind, text) {
  if (kind === "same") return shown(shortened(text), "the link");
  return el(MARKS[kind] ?? "span", {}, el("span.unseen", {}, kind === "out" ? " [taken out: " : " [new: "), shown(text, "the link"), el("span.unseen", {}, "] "));
}

/** Of a long stretch that stayed the same, its two ends. */
function shortened(text) {
  const letters = Array.from(text);
  return letters.length > LONG ? `${letters.slice(0, LONG / 2).join("")} […] ${letters.slice(-LONG / 2).join("")}` : text;
}
