// Sealed announcements, in words that nobody takes for those of any other: what is signed now is sent later, by one person alone.

import { el, when } from "./dom.js";

export const isSealed = (request) => request.state === "sealed";

/** What stands above all else where a manifest has a seal. */
export function sealNotice(request, manifest) {
  if (!manifest.seal) return null;
  const until = when(manifest.not_after);
  const [title, words] = isSealed(request)
    ? ["Sealed. You alone can send it.", ["Two people have signed these words. Your signature sends them at once; nobody else is asked. Everyone who signed or reviews is told. It works once, until ", until, "."]]
    : ["To be sealed. Nothing is sent now.", ["Once it is signed, ONE person alone can send it, on a day that nobody knows yet: exactly these words, to exactly these places, once, until ", until, ". Sign only what will be true on that day."]];
  return el("section.alert.seal", { "aria-label": "Sealed" },
    el("h2", {}, title),
    el("p", {}, words),
    manifest.seal.correction ? el("p", {}, "Its correction is sealed with it, below: whoever sends this can send that, too.") : null,
    manifest.seal.corrects ? el("p", {}, "It corrects what was unsealed before, and was signed together with it.") : null);
}

/** What a signature comes to, where a manifest has a seal. */
export function sealNeeds(request) {
  if (isSealed(request)) return "Your signature alone sends it, at once.";
  if (request.missing === 1 && request.cli_signature) return "What seals it is a signature from a terminal; one from this page does not. Nothing is sent now.";
  if (request.missing > 1) return `Your signature and ${request.missing === 2 ? "one" : request.missing - 1} more seal it. Nothing is sent now.`;
  return "Your signature seals it. Nothing is sent now.";
}

/** The moment that an unseal is signed with, UTC to the second. A drill has a clock of its own, told when the page was made. */
const opened = Date.now();
export function momentOf(request, drill) {
  const ahead = drill ? new Date(request.now).getTime() - opened : 0;
  return `${new Date(Date.now() + (ahead || 0)).toISOString().slice(0, 19)}Z`;
}
