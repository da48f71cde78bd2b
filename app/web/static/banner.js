// Shows Tocsin's security notice at the top of the page that embeds it. One tag, no dependency:
//   <script src="https://tocsin.example/banner.js" integrity="sha384-…" crossorigin="anonymous" data-key="…" defer></script>
// With data-key (`tocsin embed` prints the tag) it shows only what that key stamped: not what a cache or a hijacked name answers.
// Under a Content-Security-Policy the page allows this origin in script-src and connect-src, and nothing else: no inline style, no
// markup from strings. It never throws into the page, and what it shows stays while the network is away, until the notice expires.
(() => {
  "use strict";
  const script = document.currentScript;
  if (!script || !script.src || window.tocsinBanner) return;
  Object.defineProperty(window, "tocsinBanner", { value: true });

  const source = new URL("/banner.json", script.src).href;
  const pinned = script.dataset.key;
  const PERIOD = 60000;
  const STYLE = `
    :host { all: initial !important; display: block !important; }
    :host([hidden]) { display: none !important; }
    * { box-sizing: border-box; }
    section { --bg: #8f1417; --ink: #fff; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; background: var(--bg); color: var(--ink);
      padding: 14px max(16px, calc(50% - 34rem)) 16px; text-align: start; overflow-wrap: anywhere; }
    section.drill { --bg: #ffd84d; --ink: #1d1a10; border-block: 6px dashed #1d1a10; }
    header { display: flex; gap: 16px; align-items: center; justify-content: space-between; }
    p { margin: 0; }
    .name { font-weight: 700; min-width: 0; }
    .mark { font-weight: 700; margin-bottom: 2px; }
    .text { margin-top: 8px; white-space: pre-line; max-width: 46rem; unicode-bidi: plaintext; }
    .more { margin-top: 6px; }
    a { color: inherit; font-weight: 600; text-underline-offset: 3px; display: inline-block; padding: 8px 0; }
    button { flex: none; font: inherit; font-size: 15px; color: inherit; background: transparent; border: 1px solid currentColor; border-radius: 8px;
      min-height: 44px; min-width: 44px; padding: 6px 14px; cursor: pointer; }
    a:focus-visible, button:focus-visible { outline: 3px solid currentColor; outline-offset: 3px; border-radius: 4px; }
    [hidden] { display: none !important; }
    @media (prefers-color-scheme: dark) { section { --bg: #5e1113; --ink: #ffeceb; } }
    @media (prefers-color-scheme: dark) { section.drill { --bg: #3d3310; --ink: #ffe9a3; border-color: #ffd84d; } }
    @media (forced-colors: active) { section { border: 2px solid; } }
    @media print { button { display: none; } }`;

  const host = document.createElement("tocsin-banner");
  const root = host.attachShadow({ mode: "closed" });
  try {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
  } catch {
    // an old browser: the words show without their dress
  }

  const element = (name, className, text) => {
    const node = document.createElement(name);
    if (className) node.className = className;
    node.textContent = text || "";
    return node;
  };

  /** The permalink if it is one to open: https, or in a drill a stand-in on this machine. */
  function link(banner) {
    try {
      const url = new URL(banner.permalink);
      const standIn = banner.environment === "drill" && url.protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
      return url.protocol === "https:" || standIn ? url.href : "";
    } catch {
      return "";
    }
  }

  function built(banner) {
    const drill = banner.environment === "drill";
    const section = element("section", drill ? "drill" : "live");
    section.setAttribute("role", "region");
    section.setAttribute("aria-label", drill ? "Security notice, drill" : "Security notice");
    const header = element("header");
    const body = element("div");
    body.setAttribute("role", "alert");
    const toggle = element("button", "", "Hide details");
    toggle.type = "button";
    toggle.setAttribute("aria-expanded", "true");
    toggle.addEventListener("click", () => {
      body.hidden = !body.hidden;
      toggle.setAttribute("aria-expanded", String(!body.hidden));
      toggle.textContent = body.hidden ? "Show details" : "Hide details";
    });
    const name = element("p", "name", banner.incident || "Security notice");
    name.dir = "auto";
    const text = element("p", "text", banner.text);
    text.dir = "auto";
    if (typeof banner.language === "string") text.lang = banner.language;
    header.append(name, toggle);
    body.append(text);
    const href = link(banner);
    if (href) {
      const more = element("p", "more");
      const anchor = element("a", "", "Full text and all updates");
      anchor.href = href;
      anchor.rel = "noopener noreferrer";
      anchor.target = "_blank";
      more.append(anchor);
      body.append(more);
    }
    if (drill) section.append(element("p", "mark", "DRILL · only an exercise, nothing has happened"));
    section.append(header, body);
    return section;
  }

  const raw = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

  /** What may be shown of an answer: where the page pins a key, the stamped bytes alone. Throws where they are not that key's. */
  async function trusted(banner) {
    const checkable = window.crypto && crypto.subtle; // not on a page that came without HTTPS, where nothing could be trusted anyway
    if (!pinned || !checkable || banner.active !== true) return banner;
    const key = await crypto.subtle.importKey("raw", raw(pinned), { name: "ECDSA", namedCurve: "P-256" }, false, ["verify"]);
    const bytes = new TextEncoder().encode(banner.signed.bytes);
    const good = await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, raw(banner.signed.signature), bytes);
    const stamped = JSON.parse(banner.signed.bytes);
    if (!good || stamped.format !== "tocsin-banner/1") throw new Error("The notice is not stamped by the key that this page pins.");
    return stamped;
  }

  let shown = "";
  let current = null;

  function show(banner) {
    current = banner;
    const expired = banner.expires_at && new Date(banner.expires_at) <= new Date();
    const active = banner.active === true && typeof banner.text === "string" && !expired;
    const state = active ? JSON.stringify([banner.id, banner.digest, banner.text, banner.permalink, banner.environment]) : "";
    place();
    if (state === shown) return;
    shown = state;
    root.replaceChildren(...(active ? [built(banner)] : []));
    host.hidden = !active;
  }

  /** Into #tocsin-banner if the page has one, else on top; again, should the page's own scripts have thrown it out. */
  function place() {
    if (host.isConnected || !document.body) return;
    const mount = document.getElementById("tocsin-banner");
    if (mount) mount.replaceChildren(host);
    else document.body.prepend(host);
  }

  async function look() {
    try {
      const answer = await fetch(source, { mode: "cors", credentials: "omit", cache: "no-cache", redirect: "error", referrerPolicy: "no-referrer" });
      if (answer.ok) show(await trusted(await answer.json()));
      else if (current) show(current);
    } catch {
      try { if (current) show(current); } catch { /* the page stays as it is */ }
    }
  }

  let last = 0;
  const due = () => {
    if (document.hidden || Date.now() - last < PERIOD - 1000) return;
    last = Date.now();
    look();
  };
  host.hidden = true;
  due();
  setInterval(due, PERIOD + Math.random() * 5000);
  document.addEventListener("visibilitychange", due);
})();
