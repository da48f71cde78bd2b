// The sheet in which a person says why; it opens, asks, and hands over what was typed. Typed words survive a closed sheet.

import { button, el } from "./dom.js";

/** Gives the handler of a button: it opens the sheet; `decide(typed)` is called once the person signs. */
export function decisionDialog({ heading, label, required }, decide) {
  const text = el("textarea", { rows: 4, maxlength: 2000, "aria-describedby": "sheet-problem", required });
  const problem = el("p.status", { id: "sheet-problem", role: "status" });
  const dialog = el("dialog", { "aria-label": heading },
    el("h2", {}, heading),
    el("label", {}, el("span", {}, label), text),
    problem,
    button(`Sign and ${heading.toLowerCase().replace(" this revision", "")}`, "primary", () => {
      if (required && !text.value.trim()) {
        problem.className = "status bad";
        problem.textContent = "Write what should be changed, in a few words.";
        text.focus();
        return;
      }
      dialog.close();
      decide(text.value);
    }),
    button("Back", "quiet", () => dialog.close()));
  dialog.addEventListener("close", () => dialog.remove());
  return () => {
    if (dialog.open) return;
    problem.textContent = "";
    document.body.append(dialog);
    dialog.showModal();
    text.focus();
  };
}
