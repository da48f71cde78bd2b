// An account that is not ours any more: one person leaves it out, at once. What follows is said before it is done.

import { sheet } from "./dialog.js";
import { button, el, once } from "./dom.js";

const drawn = [];

/** Tells every account's line anew whether something is held there. */
export const refresh = () => drawn.forEach((draw) => draw());

/** Why nothing is sent to a destination, in words; "" where something is. */
export function heldBack({ kind, why, by }) {
  return kind === "excluded" ? `Left out: ${by} said that it is not ours any more. ${why}` : `Paused until it is mended. ${why}`;
}

/** One account of a card: its names, and the way to leave it out. `standing` is `{request, moved}`. */
export function account(entry, manifest, { request, moved }) {
  const told = el("span.status", { role: "status", tabindex: -1 });
  const say = (words, tone = "") => {
    told.className = `status ${tone}`;
    told.replaceChildren(words);
  };
  let ask = null; // made when it is first wanted: there may be a thousand accounts
  const asked = () => sheet({
    heading: `Leave ${entry.id} out`,
    told: consequences(entry, manifest),
    label: "What did you see? Everyone on the team reads it.",
    required: true,
    maxlength: 400,
    press: "Leave it out",
    missing: "Write in a few words what you saw.",
  }, once(async (why) => {
    say("Leaving it out…");
    try {
      const { proposed } = await sent(entry.id, why);
      request.held = [...(request.held ?? []), { destination: entry.id, kind: "excluded", why, by: request.person }];
      moved();
      say(proposed.length ? "A correction waits for signatures: its links are in the mail." : "");
      told.focus({ preventScroll: true });
    } catch (error) {
      say(`It was not left out. ${error.message}`, "bad");
    }
  }));
  const lost = button("Not ours any more: leave it out", "quiet.lost", () => (ask ??= asked())());
  lost.setAttribute("aria-label", `${entry.id} is not ours any more: leave it out`);
  const state = el("span.held");
  drawn.push(() => {
    const hold = (request.held ?? []).find(({ destination }) => destination === entry.id);
    state.replaceChildren(...(hold ? [el("span.flag", { dir: "auto" }, heldBack(hold))] : []));
    lost.hidden = hold?.kind === "excluded" || Boolean(request.csrf); // a session alone leaves nothing out: it takes the mailed link
  });
  drawn.at(-1)();
  return el("li", {}, el("span", {}, entry.id), " ", el("span.soft", {}, entry.account), " ", lost, state, told);
}

function consequences(entry, manifest) {
  const leads = manifest.primaries[0] === entry.id;
  const next = manifest.primaries.find((id) => id !== entry.id);
  return [
    "You do this alone, and it counts at once:",
    "Nothing more is sent there, neither of this announcement nor of any later one, until somebody includes it again.",
    leads && next ? `If it has not posted yet, ${next} carries the full text in its place.` : null,
    leads ? "If it has, its post and what points to it stay, and a correction is drawn up that sends readers elsewhere, for two people to sign." : null,
    "Nothing is deleted. Take the account back on its platform.",
  ].filter(Boolean);
}

async function sent(destination, why) {
  const answer = await fetch(`${location.pathname}/exclude`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ destination, why }),
    redirect: "error",
    signal: AbortSignal.timeout?.(20000),
  });
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  throw new Error([body.title ?? `The server refused (${answer.status}).`, body.detail].filter(Boolean).join(" "));
}
