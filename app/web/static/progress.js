// How it stands: who has signed, what is missing, and, once it goes out, where each post is. Kept fresh by reading the request again.

import { el, when } from "./dom.js";
import { platform } from "./renderings.js";

const entryOf = (manifest, id) => manifest.destinations.find((entry) => entry.id === id);

const DECISIONS = { approve: "approved", reject: "rejected", "request-changes": "asked for changes", unseal: "unsealed it" };
const DELIVERY = {
  planned: "waiting", sending: "sending…", posted: "posted", failed: "not posted: someone has to act", unknown: "perhaps posted: someone has to look",
  by_hand: "to be posted by hand", skipped: "left out",
};

/** One sentence on a state; what it does not know it says as it is. */
export function sentence({ state, missing, cli_signature: terminal }, manifest) {
  const later = manifest.not_before && new Date(manifest.not_before) > Date.now();
  const words = {
    draft: "Nobody has signed yet.",
    awaiting_approval: missing === 1
      ? `One more signature is needed${terminal ? ", from a terminal" : ""}.`
      : `${missing} signatures are needed${terminal ? ", one of them from a terminal" : ""}.`,
    returned: "Stopped: this revision will not be sent.",
    sealed: "Sealed: it waits for one person to send it.",
    approved: later ? "Approved. It goes out at its time." : "It is going out now.",
    sending: "It is going out now.",
    sent: "It is out, everywhere.",
    incomplete: "It is out, but not everywhere: someone has to act.",
    cancelled: "Cancelled: it will not be sent.",
    expired: "Its time to be sent is over: it will not be sent.",
  };
  return words[state] ?? String(state).replaceAll("_", " ");
}

/** The section on how it stands; `request.deliveries` is shown where the server gives it. */
export function progress(request, manifest) {
  const posts = request.deliveries ?? [];
  const decided = request.approvals.some(({ person }) => person === request.person);
  const told = request.usable ? !request.approvals.length : decided || !request.why_not;
  return el("section.progress", { "aria-label": "How it stands" },
    told ? el("p.state", { "data-state": request.state }, sentence(request, manifest)) : null,
    request.approvals.length
      ? el("ul.people", {}, request.approvals.map(({ person, decision, key, at }) => el("li", { "data-decision": decision },
        el("strong", { dir: "auto" }, person), ` ${DECISIONS[decision] ?? decision}`, el("span.soft", {}, ` by ${key === "ssh" ? "SSH key" : key}, `, when(at)))))
      : null,
    asked(request),
    posts.length ? leading(request, manifest) : null,
    posts.length ? el("ul.deliveries", {}, posts.map((post) => delivery(post, manifest))) : null);
}

const room = (who) => who.replace(/^destination:/, "");

/** Who was asked to sign, and who is next. */
function asked({ asked: every = [], state }) {
  if (state !== "awaiting_approval") return null;
  const told = every.filter(({ asked_at: at }) => at);
  const coming = every.filter(({ asked_at: at, next_at: next }) => !at && next);
  if (!told.length && !coming.length) return null;
  const [first] = coming.map(({ next_at: next }) => next).sort();
  const next = coming.filter(({ next_at: at }) => at === first);
  return el("details.asked", {}, el("summary", {}, "Who was asked"),
    el("ul.people", {},
      told.map(({ who, asked_at: at, reminded_at: again }) => el("li", {}, el("strong", { dir: "auto" }, room(who)), el("span.soft", {}, " asked ", when(at), again ? [", reminded ", when(again)] : null))),
      next.length ? el("li", {}, el("strong", { dir: "auto" }, next.map(({ who }) => room(who)).join(", ")), el("span.soft", {}, " next, ", when(first))) : null));
}

/** Said only where it is not the planned one that carries the full text. */
function leading({ leads }, manifest) {
  const [first] = manifest.primaries;
  if (!leads || leads === first) return null;
  return el("p.leads", {}, el("strong", {}, platform(entryOf(manifest, leads))), el("span.soft", {}, ` ${leads}`),
    ` carries the full text in place of ${platform(entryOf(manifest, first))}, and everyone else points there.`);
}

function delivery({ destination, role, state, permalink, detail }, manifest) {
  const entry = entryOf(manifest, destination);
  const recast = role && manifest.destinations.every((planned) => planned.id !== destination || planned.role !== role);
  const now = recast ? ` (${role === "pointer" ? "a pointer now" : "in full now"})` : "";
  const link = /^https?:\/\//.test(permalink ?? "") ? el("a", { href: permalink, rel: "noopener noreferrer", target: "_blank" }, "open the post") : null;
  return el("li", { "data-state": state, "data-look": state === "posted" && Boolean(detail) },
    el("strong", {}, entry ? platform(entry) : destination), el("span.soft", {}, ` ${destination}`), ": ", DELIVERY[state] ?? state, now,
    link ? [", ", link] : null, detail ? el("span.detail", { dir: "auto" }, ` ${detail}`) : null);
}

const OVER = ["sent", "returned", "cancelled", "expired"];

/** Reads the request again while the page is seen: every 10 s, once signed every second for a minute. */
export function watch(request, { moved, closed }) {
  let quick = 0;
  let timer = null;
  let round = 0; // a look that began before a decision tells nothing about what came after
  const next = () => { timer = setTimeout(look, quick-- > 0 ? 1000 : 10000); };
  async function look() {
    const mine = round;
    try {
      if (document.hidden) return;
      const answer = await fetch(`${location.pathname}/request`, { cache: "no-store", redirect: "error", signal: AbortSignal.timeout?.(10000) });
      if (!answer.ok) return;
      const fresh = await answer.json();
      if (mine !== round) return;
      const known = () => JSON.stringify([request.state, request.missing, request.cli_signature, request.approvals, request.deliveries, request.held, request.leads, request.asked]);
      const before = known();
      const { state, missing, cli_signature, approvals, deliveries, held, leads, asked, usable, why_not } = fresh;
      Object.assign(request, { state, missing, cli_signature, approvals, deliveries, held, leads, asked, usable, why_not });
      if (known() !== before) moved();
      if (!usable) closed();
    } catch {
      // the network is away: what is shown stays, and the next look tells more
    } finally {
      if (mine === round && !OVER.includes(request.state)) next();
    }
  }
  next();
  return {
    faster() {
      clearTimeout(timer);
      round += 1;
      quick = 60;
      look();
    },
  };
}
