// The sheet in which a person says why; it opens, asks, and hands over what was typed. Typed words survive a closed sheet.

import { button, el } from "./dom.js";

/** Gives the handler of a button: it opens the sheet; `act(typed)` is called once the person presses. `told` says first what follows. */
export function sheet({ heading, told = [], label, required, maxlength = 2000, press, missing }, act) {
  const text = el("textarea", { rows: 4, maxlength, "aria-describedby": "sheet-problem", required });
  const problem = el("p.status", { id: "sheet-problem", role: "status" });
  const [first, ...others] = told;
  const dialog = el("dialog", { "aria-label": heading },
    el("h2", {}, heading),
    first ? el("p", {}, first) : null,
    others.length ? el("ul.follows", {}, others.map((words) => el("li", {}, words))) : null,
    el("label", {}, el("span", {}, label), text),
    problem,
    button(press, "primary", () => {
      if (required && !text.value.trim()) {
        problem.className = "status bad";
        problem.textContent = missing;
        text.focus();
        return;
      }
      dialog.close();
      act(text.value);
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

/** The sheet of a decision that is signed with its comment. */
export const decisionDialog = (asked, decide) => sheet({
  ...asked, press: `Sign and ${asked.heading.toLowerCase().replace(" this revision", "")}`, missing: "Write what should be changed, in a few words.",
}, decide);
