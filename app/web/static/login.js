// Logging in: the browser's passkey signs the server's challenge, and the answer is a cookie that scripts cannot read.

import { fromBase64url } from "./bytes.js";
import { button, el, once } from "./dom.js";
import { explain, sign, supported } from "./passkey.js";

const request = JSON.parse(document.getElementById("request").textContent);
const place = document.getElementById("login");
const status = el("p.status", { role: "status" });
const name = el("input", { maxlength: 64, value: request.person, autocomplete: "off", autocapitalize: "none", spellcheck: "false" });

function say(text, tone = "") {
  status.className = `status ${tone}`;
  status.textContent = text;
}

async function send(signature) {
  const { kind, ...assertion } = signature;
  const answer = await fetch("/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...assertion, challenge: request.challenge }),
    redirect: "error",
    signal: AbortSignal.timeout?.(20000),
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error([body.title ?? `The server refused (${answer.status}).`, body.detail].filter(Boolean).join(" "));
  return body.next;
}

const enter = once(async () => {
  try {
    say("Waiting for your passkey…");
    const signature = await sign(fromBase64url(request.challenge), request);
    say("Logging in…");
    location.assign(await send(signature));
  } catch (error) {
    say(explain(error) ?? (error instanceof TypeError ? "The server was not reached. Load the page again." : error.message), "bad");
  }
});

const named = () => location.assign(`/login?person=${encodeURIComponent(name.value.trim())}`);
name.addEventListener("keydown", (event) => { if (event.key === "Enter") named(); });

const withName = () => el("details", { open: Boolean(request.person) && !request.passkeys.length },
  el("summary", {}, "My security key does not find me by itself"),
  el("div.stack", {},
    request.person && !request.passkeys.length ? el("p", { role: "alert" }, "No passkey for this address is known under that id.") : null,
    el("label", {}, el("span", {}, "Your id in the roster"), name),
    button("Ask for my own passkeys", "secondary", named)));

place.append(...(supported()
  ? [button(request.passkeys.length ? `Log in as ${request.person}` : "Log in with a passkey", "primary", enter), status, withName()]
  : [el("p.alert", {}, "This browser cannot use passkeys, or the page was not opened over HTTPS. Use your phone’s own browser, or read by tocsin status.")]));
