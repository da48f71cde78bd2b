// Making a passkey and handing its public half to the roster. The answer is the entry's TOML; a person puts it into the roster.

import { button, copyable, el, once } from "./dom.js";
import { create, explain, supported } from "./passkey.js";

const request = JSON.parse(document.getElementById("request").textContent);
const place = document.getElementById("enrol");
const status = el("p.status", { role: "status" });
const label = el("input", { maxlength: 60, value: "my phone", autocomplete: "off" });

function say(text, tone = "") {
  status.className = `status ${tone}`;
  status.textContent = text;
}

async function send(credential) {
  const answer = await fetch(location.pathname + location.search, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ ...credential, label: label.value.trim() || "passkey" }),
    redirect: "error",
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error([body.title ?? `The server refused (${answer.status}).`, body.detail].filter(Boolean).join(" "));
  return body.toml;
}

function done(toml) {
  const heading = el("h2", { tabindex: -1 }, "Your passkey is made");
  place.replaceChildren(
    heading,
    el("p", {}, "It counts once this entry stands in the signed roster. Copy it, and give it to whoever keeps the roster, in a way that they know is you:"),
    copyable(toml, "Copy the entry"));
  heading.focus();
}

let made = null; // a lost network costs no second passkey

const enrol = once(async () => {
  try {
    if (!made) {
      say("Waiting for your device…");
      made = await create(request.options);
    }
    say("Checking it…");
    done(await send(made));
  } catch (error) {
    const kept = made && error instanceof TypeError;
    if (!kept) made = null;
    say(kept ? "The server was not reached. Press again, it is safe." : explain(error) ?? error.message, "bad");
  }
});

place.append(...(supported()
  ? [el("label", {}, el("span", {}, "What you call this device"), label), button("Make a passkey", "primary", enrol), status]
  : [el("p.alert", {}, "This browser cannot make passkeys, or the page was not opened over HTTPS. Copy the link into your phone’s own browser, or give your SSH public key to whoever keeps the roster."),
    copyable(location.href, "Copy the link")]));
