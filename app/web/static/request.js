// The approval request: whether what this page was given is what would be signed. Nothing is shown or signed that fails here.

import { canonical, hex, sha256 } from "./bytes.js";

export class Untrusted extends Error {}

/** The manifest that the request's text is. Throws `Untrusted` with the reason where text, digest and claims do not agree. */
export async function examine(request, environment) {
  if (!globalThis.crypto?.subtle) throw new Error("This page was not opened over HTTPS, so the browser can neither check nor sign.");
  const digest = `sha256:${hex(await sha256(request.manifest))}`;
  if (digest !== request.digest) throw new Untrusted("The text does not have the digest that you were asked to sign.");
  const manifest = parsed(request.manifest);
  if (manifest.format !== "tocsin-manifest/1") throw new Untrusted("The manifest is of a format that this page does not know.");
  for (const name of ["announcement", "revision", "environment"]) {
    if (manifest[name] !== request[name]) throw new Untrusted(`The request says another ${name} than the text that you would sign.`);
  }
  if (manifest.environment !== environment) throw new Untrusted("A drill and a real alert were mixed up.");
  if (sealedWith(manifest) && sealedWith(manifest).environment !== environment) throw new Untrusted("A drill and a real alert were mixed up.");
  return manifest;
}

/** The manifest of the correction that lies, as text, in that of a sealed announcement; null where there is none. */
export const sealedWith = (manifest) => (manifest.seal?.correction ? parsed(manifest.seal.correction) : null);

function parsed(text) {
  let manifest = null;
  try {
    manifest = JSON.parse(text);
  } catch {
    throw new Untrusted("The manifest cannot be read.");
  }
  // A key that stands twice, or a number written in another way, could be read by someone else as something else.
  if (canonical(manifest) !== text) throw new Untrusted("The manifest is not in the one form that has one meaning.");
  return manifest;
}

/** "3fa8 21c0": enough to compare by eye with the terminal or a colleague. */
export const shortDigest = (digest) => digest.replace("sha256:", "").slice(0, 8).replace(/(.{4})(?=.)/g, "$1 ");

/** The block findings that no signed override answers; with any of them the server refuses an approval. */
export function unanswered(findings, overrides) {
  const answered = (finding) => overrides.some(
    ({ rule, excerpt, reason }) => rule === finding.rule && ["", finding.excerpt].includes(excerpt ?? "") && reason?.trim(),
  );
  return findings.filter((finding) => finding.severity === "block" && !answered(finding));
}
