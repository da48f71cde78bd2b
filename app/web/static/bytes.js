// The bytes that are hashed and signed: canonical JSON (RFC 8785), SHA-256, base64url, the approval statement and its challenge.
// The same forms are written in Python in app/domain/approval.py; tests/browser holds the two against each other.

const FORMAT = "tocsin-approval/1";
const encoder = new TextEncoder();

/** Canonical JSON text. JSON.stringify writes strings and numbers as RFC 8785 wants them; keys sort by UTF-16 code units. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${members.join(",")}}`;
}

export async function sha256(text) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
}

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function toBase64url(buffer) {
  const binary = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export function fromBase64url(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** The canonical text of an approval statement. `request` is the approval request, `manifest` what its text says; an unseal has its moment `at`. */
export function statement(request, manifest, decision, comment, at = "") {
  return canonical({
    ...(at ? { at } : {}),
    announcement: manifest.announcement,
    comment,
    decision,
    digest: request.digest,
    environment: manifest.environment,
    format: FORMAT,
    nonce: request.nonce,
    person: request.person,
    revision: manifest.revision,
  });
}

/** The 32 bytes that a passkey signs for a statement. */
export const challenge = (statementText) => sha256(`${FORMAT}\n${statementText}`);

const HIDDEN = /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/gu;

/** A comment as it can be signed: one line, nothing invisible, at most 2000 characters. */
export function tidyComment(typed) {
  const line = typed.replace(/\s+/gu, " ").replace(HIDDEN, "").trim();
  return Array.from(line).slice(0, 2000).join("").trim();
}
