// Examines the page that is shown, and gives what is wrong with it as a list of sentences.
(() => {
  const textPxMin = 11, contrastMin = 4.5;
  const faults = [];
  const shown = element => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const name = element => {
    const words = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
    return `<${element.localName} class="${element.getAttribute("class") ?? ""}"> ${words}`;
  };

  // What is wider than the page, or than the box that hides the rest of it. What scrolls by itself is meant to.
  const root = document.scrollingElement;
  if (root.scrollWidth > innerWidth) faults.push(`the page is ${root.scrollWidth} px wide in ${innerWidth}`);
  const all = [...document.body.querySelectorAll("*")].filter(shown);
  for (const element of all.filter(each => each instanceof HTMLElement)) {
    const style = getComputedStyle(element);
    const isHidden = ["hidden", "clip"].includes(style.overflowX);
    if (isHidden && element.scrollWidth > element.clientWidth + 1) faults.push(`cut off: ${name(element)}`);
    const box = element.getBoundingClientRect();
    if (!element.closest(".scroll, pre") && (box.right > innerWidth + 1 || box.left < -1)) {
      faults.push(`beside the page: ${name(element)}`);
    }
    if (matchMedia("print").matches && style.overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1) {
      faults.push(`cut off on paper: ${name(element)}`);
    }
  }

  // Colours as red, green, blue and alpha, and how one lies over another.
  const parse = text => {
    const [red, green, blue, alpha = 1] = text.match(/[\d.]+/g).map(Number);
    return [red, green, blue, alpha];
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const background = element => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      layers.push(parse(getComputedStyle(each).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    const page = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 1] : [255, 255, 255, 1];
    return layers.reduceRight((below, top) => over(top, below), page);
  };
  const luminance = colour => {
    const [red, green, blue] = colour.map(value => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((left, right) => right - left);
    return (light + 0.05) / (dark + 0.05);
  };

  // Each piece of text: large enough, and clear of its ground. Text in an SVG is scaled with it.
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !shown(element) || element.localName === "title") continue;
    texts += 1;
    const style = getComputedStyle(element);
    const scale = element instanceof SVGElement ? Math.abs(element.getScreenCTM().a) : 1;
    const size = parseFloat(style.fontSize) * scale;
    if (size < textPxMin) faults.push(`text of ${size.toFixed(1)} px: ${name(element)}`);
    const ground = background(element);
    const colour = over(parse(element instanceof SVGElement ? style.fill : style.color), ground);
    const ratio = contrast(colour, ground);
    if (ratio < contrastMin) faults.push(`contrast ${ratio.toFixed(2)}: ${name(element)}`);
  }
  if (texts < 5) faults.push("there is next to no text");

  // Words for those who do not see it, and an outline in order.
  for (const svg of document.querySelectorAll("svg")) {
    const label = svg.getAttribute("aria-label") || svg.querySelector(":scope > title")?.textContent;
    if (svg.getAttribute("role") !== "img" || !label?.trim()) faults.push(`a drawing without words: ${name(svg)}`);
  }
  let level = 0;
  for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const next = Number(heading.localName[1]);
    if (next > level + 1) faults.push(`a heading of level ${next} after one of ${level}: ${name(heading)}`);
    level = next;
  }
  if (document.querySelectorAll("h1").length !== 1) faults.push("not exactly one first heading");
  if (document.querySelectorAll("main, header, footer").length !== 3) faults.push("no header, main part and footer");
  if (!document.documentElement.lang) faults.push("no language");
  for (const scroller of document.querySelectorAll(".scroll, pre")) {
    if (scroller.tabIndex !== 0) faults.push(`cannot be scrolled by keys: ${name(scroller)}`);
  }
  const ids = [...document.querySelectorAll("[id]")].map(each => each.id);
  if (new Set(ids).size < ids.length) faults.push("an ID that is there twice");

  // One file that needs nothing else.
  for (const each of document.querySelectorAll("script, link, iframe, object, embed, [src], [href], [onclick]")) {
    faults.push(`refers to something: ${name(each)}`);
  }
  return [...new Set(faults)];
})()
