// Passkeys: asking the browser for a signature or a new key, and saying in words what went wrong.

import { fromBase64url, toBase64url } from "./bytes.js";

export const supported = () => Boolean(globalThis.isSecureContext && globalThis.PublicKeyCredential && navigator.credentials);

/** Signs `challenge` with one of the request's passkeys. Asks at once: nothing is awaited before, so the tap still counts as one. */
export async function sign(challenge, request) {
  const credential = await navigator.credentials.get({
    publicKey: {
      challenge,
      rpId: request.rp_id,
      allowCredentials: request.passkeys.map((id) => ({ type: "public-key", id: fromBase64url(id) })),
      userVerification: "required",
      timeout: 120000,
    },
  });
  const { authenticatorData, clientDataJSON, signature } = credential.response;
  return {
    kind: "passkey",
    credential_id: toBase64url(credential.rawId),
    authenticator_data: toBase64url(authenticatorData),
    client_data_json: toBase64url(clientDataJSON),
    signature: toBase64url(signature),
  };
}

/** A new passkey by WebAuthn's creation options (as JSON); gives what `toJSON()` would, also where browsers lack it. */
export async function create(options) {
  const descriptors = (options.excludeCredentials ?? []).map((known) => ({ ...known, id: fromBase64url(known.id) }));
  const credential = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: fromBase64url(options.challenge),
      user: { ...options.user, id: fromBase64url(options.user.id) },
      excludeCredentials: descriptors,
    },
  });
  const { response } = credential;
  return {
    id: credential.id,
    rawId: toBase64url(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? null,
    clientExtensionResults: {},
    response: {
      clientDataJSON: toBase64url(response.clientDataJSON),
      attestationObject: toBase64url(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
  };
}

const WORDS = {
  NotAllowedError: "The passkey request was closed, ran out of time, or this device does not hold your passkey. Try again.",
  SecurityError: "Your passkey belongs to another address than this page’s. Look at the address before you go on.",
  InvalidStateError: "This device already holds your passkey. There is nothing more to do here.",
  NotSupportedError: "This device cannot make or use such a passkey. Use another device.",
  ConstraintError: "This device cannot check that it is you (fingerprint, face or PIN). Set that up, or use another device.",
};

/** What went wrong with a passkey, for a person; null where the error is of another kind. */
export const explain = (error) => (error instanceof DOMException ? WORDS[error.name] ?? null : null);
