// The map: each dot an image; the image of the one under the pointer, or gone to by key.

// viridis without its ends, which would be lost on black and on white
const SCALE = ["#414487", "#2a788e", "#22a884", "#7ad151", "#d2c21a"];

function color(share) {
  const at = share * (SCALE.length - 1);
  const k = Math.min(Math.floor(at), SCALE.length - 2);
  const part = (hex, n) => parseInt(hex.slice(1 + 2 * n, 3 + 2 * n), 16);
  const mixed = [0, 1, 2].map((n) => Math.round(part(SCALE[k], n) + (at - k) * (part(SCALE[k + 1], n) - part(SCALE[k], n))));
  return `rgb(${mixed.join(",")})`;
}

const dots = data.map.places.map(([x, y], k) => ({ x, y, thumb: data.map.thumbs[k], kind: data.class_of[data.map.thumbs[k]] ?? 0 }));
const present = [...new Set(dots.map((dot) => dot.kind))].sort((a, b) => a - b);
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
let chosen = null;

function drawMap(width) {
  const host = byId("map");
  const height = host.clientHeight;
  const [xs, ys] = [dots.map((dot) => dot.x), dots.map((dot) => dot.y)];
  const scaled = (value, values, size) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return high > low ? 24 + ((size - 48) * (value - low)) / (high - low) : size / 2;
  };
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  for (const dot of dots) {
    [dot.left, dot.top] = [scaled(dot.x, xs, width), height - scaled(dot.y, ys, height)];
    dot.node = drawn("circle", { cx: dot.left, cy: dot.top, r: 5, fill: color(present.length > 1 ? present.indexOf(dot.kind) / (present.length - 1) : 0.25) });
    svg.append(dot.node);
  }
  if (data.names.length && present.length > 1 && present.length <= 30) {
    for (const kind of present) {
      const own = dots.filter((dot) => dot.kind === kind);
      const name = data.names[kind];
      const at = { x: median(own.map((dot) => dot.left)), y: median(own.map((dot) => dot.top)) + (dots.length < 100 ? -10 : 5) };
      at.x = Math.max(40, Math.min(at.x, width - 40));
      svg.append(drawn("text", at, name.length > 14 ? `${name.slice(0, 13)}…` : name));
    }
  }
  host.replaceChildren(svg, card);
  dim();
  if (chosen) choose(chosen);
}

const card = element("div", { class: "card", hidden: "" });

function choose(dot) {
  chosen?.node.classList.remove("chosen");
  chosen = dot;
  dot.node.classList.add("chosen");
  dot.node.parentNode.insertBefore(dot.node, dot.node.parentNode.querySelector("text")); // over the other dots
  card.replaceChildren(picture(dot.thumb), ...(data.names.length ? [isolated(className(dot.thumb))] : []));
  card.hidden = false;
  const host = byId("map");
  const beside = dot.left + 16 + card.offsetWidth > host.clientWidth ? dot.left - 16 - card.offsetWidth : dot.left + 16;
  card.style.left = `${Math.max(4, Math.min(beside, host.clientWidth - card.offsetWidth - 4))}px`;
  card.style.top = `${Math.max(4, Math.min(dot.top - 30, host.clientHeight - card.offsetHeight - 4))}px`;
  byId("map-said").textContent = data.names.length ? `class ${className(dot.thumb)}` : `image ${dots.indexOf(dot) + 1} of ${dots.length}`;
}

function shownDots() {
  const kind = byId("map-class").value;
  return kind ? dots.filter((dot) => dot.kind === Number(kind)) : dots;
}

function dim() {
  const shown = new Set(shownDots());
  for (const dot of dots) dot.node.classList.toggle("dim", !shown.has(dot));
}

function nearestTo(x, y) {
  const far = (dot) => (dot.left - x) ** 2 + (dot.top - y) ** 2;
  return shownDots().reduce((best, dot) => (far(dot) < far(best) ? dot : best));
}

function pointed(event) {
  const box = byId("map").getBoundingClientRect();
  choose(nearestTo(event.clientX - box.left, event.clientY - box.top));
}

function keyed(event) { // to the nearest in that direction, more ahead than aside
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!way) return;
  event.preventDefault();
  if (!chosen) return choose(shownDots()[0]);
  let [best, least] = [null, Infinity];
  for (const dot of shownDots()) {
    const [dx, dy] = [dot.left - chosen.left, dot.top - chosen.top];
    const [ahead, aside] = [dx * way[0] + dy * way[1], Math.abs(dx * way[1]) + Math.abs(dy * way[0])];
    if (ahead > 0.01 && ahead + 3 * aside < least) [best, least] = [dot, ahead + 3 * aside];
  }
  if (best) choose(best);
}

function startMap() {
  const share = decimal(100 * data.map.share, 0);
  byId("map-hint").textContent = `${dots.length} test images, at their embeddings' two directions of largest variance `
    + `(PCA, ${share} % of the variance). Point at a dot, touch it, or use the arrow keys.`;
  byId("map-controls").hidden = data.names.length < 2;
  byId("map-class").append(element("option", { value: "" }, "all classes"));
  for (const kind of data.names.length ? present : []) byId("map-class").append(element("option", { value: kind }, data.names[kind]));
  byId("map-class").addEventListener("change", () => { dim(); choose(shownDots()[0]); });
  const host = byId("map");
  host.addEventListener("pointermove", pointed);
  host.addEventListener("pointerdown", pointed);
  host.addEventListener("keydown", keyed);
  whenResized(host, drawMap);
}
