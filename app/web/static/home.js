// The list for a person who is logged in: times with the reader's own beside them, and the two ways out.

import { button, el, once, when } from "./dom.js";

const { csrf } = JSON.parse(document.getElementById("request").textContent);
const status = el("p.status", { role: "status" });

document.querySelectorAll("main time").forEach((time) => time.replaceWith(when(time.dateTime)));

const leave = (everywhere) => once(async () => {
  try {
    const answer = await fetch("/logout", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify({ everywhere }),
      redirect: "error",
      signal: AbortSignal.timeout?.(20000),
    });
    if (answer.status !== 401 && !answer.ok) throw new Error((await answer.json()).title);
    location.assign("/login");
  } catch (error) {
    status.className = "status bad";
    status.textContent = `You are still logged in. ${error.message}`;
  }
});

document.getElementById("session").append(
  status,
  el("div.others", {}, button("Log out", "secondary", leave(false)), button("Log out everywhere", "secondary", leave(true))));
