// Keeps the timelines fresh while the page is visible: fetches the page and swaps its <main> when something was posted.
"use strict";
const version = (page) => page.getElementById("timelines").dataset.version;
async function refresh() {
  if (document.hidden) return;
  const answer = await fetch("/", { cache: "no-store" });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (version(fresh) === version(document)) return;
  const focused = document.activeElement?.href;
  document.querySelector("main").replaceWith(fresh.querySelector("main"));
  if (focused) [...document.links].find((link) => link.href === focused)?.focus({ preventScroll: true });
}
setInterval(() => refresh().catch(() => {}), 1000);
