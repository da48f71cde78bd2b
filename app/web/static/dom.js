// Small builders. Everything that is shown goes in as text; nothing here can make markup of a string.

/** `el("p.soft", {id: "x"}, "text", node)`: an element with classes, attributes and children; null children are left out. */
export function el(spec, attributes = {}, ...children) {
  const [name, ...classes] = spec.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

export const button = (label, classes, action) => {
  const node = el(`button.${classes}`, { type: "button" }, label);
  node.addEventListener("click", action);
  return node;
};

/** A press that does its work once at a time, however often it is tapped. */
export function once(work) {
  let busy = false;
  return async (...given) => {
    if (busy) return;
    busy = true;
    try {
      await work(...given);
    } finally {
      busy = false;
    }
  };
}

const clock = (date, timeZone, day) =>
  new Intl.DateTimeFormat("en-GB", {
    ...(day ? { day: "numeric", month: "short", year: "numeric" } : {}), hour: "2-digit", minute: "2-digit", timeZone,
  }).format(date);

const day = (date, timeZone) => new Intl.DateTimeFormat("en-GB", { dateStyle: "short", timeZone }).format(date);

/** A time in UTC with the reader's own beside it, the day where it is not today; what is no time is shown as it stands. */
export function when(iso) {
  const date = new Date(iso);
  if (!iso || Number.isNaN(date.getTime())) return el("span", {}, iso || "not set");
  const today = day(date, "UTC") === day(new Date(), "UTC");
  return el("time", { datetime: iso }, `${clock(date, "UTC", !today)} UTC${beside(date)}`);
}

/** " (09:20 in Berlin)": a time in the reader's own zone, the day where it is another; "" where that zone is UTC. */
export function beside(date) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const own = clock(date, zone, day(date, zone) !== day(date, "UTC"));
  return zone === "UTC" ? "" : ` (${own} in ${zone.split("/").pop().replaceAll("_", " ")})`;
}

/** Text with a button that copies it; where copying is not allowed, the text is selected instead. */
export function copyable(text, label) {
  const pre = el("pre.command", { tabindex: 0 }, text);
  const copy = button(label, "quiet", async () => {
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(pre);
      copy.textContent = "Selected: copy it now";
    }
    setTimeout(() => { copy.textContent = label; }, 4000);
  });
  return el("div.copyable", {}, pre, copy);
}
