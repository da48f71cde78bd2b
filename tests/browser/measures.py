"""What is measured inside a page, as functions for `page.evaluate`."""

# Text and its ground as they are painted: every ancestor's colour laid over the next, with their opacity.
LOW_CONTRAST = """() => {
  const parse = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a), g: top.g * top.a + under.g * (1 - top.a), b: top.b * top.a + under.b * (1 - top.a), a: 1,
  });
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) layers.unshift(parse(getComputedStyle(at).backgroundColor));
    return layers.reduce((under, top) => over(top, under), { r: 255, g: 255, b: 255, a: 1 });
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let measured = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility({ visibilityProperty: true })) continue;
    const style = getComputedStyle(node);
    const under = ground(node);
    const [light, dark] = [luminance(over(parse(style.color), under)), luminance(under)].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    measured += 1;
    if (ratio < (large ? 3 : 4.5)) found.push([walker.currentNode.data.slice(0, 40), ratio.toFixed(2)]);
  }
  return [measured, found];
}"""

# What a screen reader or a thumb would stumble over.
STUMBLES = """() => {
  const found = [];
  const headings = [...document.querySelectorAll("h1, h2, h3, h4")].filter((node) => node.checkVisibility());
  const levels = headings.map((node) => Number(node.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) found.push("not one h1");
  levels.forEach((level, at) => { if (at && level > levels[at - 1] + 1) found.push(`heading skips to h${level}`); });
  if (document.documentElement.lang !== "en") found.push("no lang");
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  if (new Set(ids).size !== ids.length) found.push("an id twice");
  for (const node of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
    const names = `${node.getAttribute("aria-labelledby") ?? ""} ${node.getAttribute("aria-describedby") ?? ""}`.trim().split(/\\s+/);
    if (names.some((name) => !document.getElementById(name))) found.push(`${node.className} refers to nothing`);
  }
  for (const node of document.querySelectorAll("button, summary, input, textarea, a[href]")) {
    if (!node.checkVisibility()) continue;
    const { width, height } = node.getBoundingClientRect();
    const inline = getComputedStyle(node).display === "inline";
    if (!inline && (width < 44 || height < 44)) found.push(`${node.textContent || node.tagName}: ${width} x ${height}`);
    if (!(node.textContent.trim() || node.ariaLabel || node.labels?.length)) found.push(`${node.tagName} has no name`);
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push(`wider than the screen: ${document.documentElement.scrollWidth}`);
  return found;
}"""

# What has the focus: its outline in pixels, and whether something lies over it.
FOCUSED = """() => {
  const node = document.activeElement;
  const box = node.getBoundingClientRect();
  const top = document.elementFromPoint(box.x + Math.min(20, box.width / 2), box.y + Math.min(12, box.height / 2));
  return { name: node.textContent, outline: parseFloat(getComputedStyle(node).outlineWidth), covered: !node.contains(top) };
}"""

# Letters of twice the size.
LARGE = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("html { font-size: 200% }");
  document.adoptedStyleSheets = [sheet];
}"""
