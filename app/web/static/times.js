// Puts the reader's own time beside each time that the page tells in UTC. Without scripts the page is whole.

import { beside } from "./dom.js";

for (const node of document.querySelectorAll("time[datetime]")) node.append(beside(new Date(node.dateTime)));
