"use strict";
// What all of the page is made with. Text from the data becomes text nodes, never markup.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes = {}, ...children) { // of SVG
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// a name in a direction of its own: it does not turn the text around it
const isolated = (name) => element("bdi", {}, name);

// as Python rounds: an exact half goes to the even digit
function decimal(x, digits) {
  const exact = x.toFixed(100);
  const end = exact.indexOf(".") + 1 + digits;
  const half = /^50*$/.test(exact.slice(end));
  const even = "02468".includes(exact.slice(0, end).replace(".", "").slice(-1));
  return half && even ? exact.slice(0, digits ? end : end - 1) : x.toFixed(digits);
}

const percent = (share) => `${decimal(100 * share, 2)} %`;

function rate(share) { // two digits that count
  if (!Number.isFinite(share)) return "not known";
  if (!share) return "0 %";
  const digits = Math.max(0, 1 - Math.floor(Math.log10(100 * share)));
  return `${Number(decimal(100 * share, Math.min(digits, 20)))} %`;
}

function ticks(low, high, count) { // round numbers between low and high
  const raw = (high - low) / count;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = size * [1, 2, 5, 10].find((factor) => factor * size >= raw);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(Number((k * step).toPrecision(6)));
  return found;
}

function whenResized(place, draw) { // draw(width) now and whenever the place gets another width
  let width = 0;
  const drawAnew = () => {
    if (!place.clientWidth || place.clientWidth === width) return;
    width = place.clientWidth;
    draw(width);
  };
  drawAnew();
  // not at once: drawing changes what is observed
  new ResizeObserver(() => requestAnimationFrame(drawAnew)).observe(place);
}

// the small pictures, cut out of one
const sprite = new Image();
sprite.src = data.thumbnails.src;
const spriteReady = sprite.decode().catch(() => {});

const className = (thumb) => data.names[data.class_of[thumb]];
const described = (thumb) => (data.names.length ? `class ${className(thumb)}` : "an image");

function picture(thumb) {
  const { width, height, cell, columns } = data.thumbnails;
  const canvas = element("canvas", { width, height, role: "img", "aria-label": described(thumb) });
  if (Math.max(width, height) < 64) canvas.className = "enlarged";
  const [x, y] = [(thumb % columns) * cell[0], Math.floor(thumb / columns) * cell[1]];
  spriteReady.then(() => canvas.getContext("2d").drawImage(sprite, x, y, width, height, 0, 0, width, height));
  return canvas;
}

function pairCard([a, b, distance, y], threshold) {
  const right = (distance < threshold) === (y === 1);
  const words = element("figcaption", {},
    `${decimal(distance, 3)}, is ${y ? "same" : "different"}`, element("br"),
    right ? "called right" : "called wrong");
  if (data.names.length) {
    words.append(element("br"), isolated(className(a)));
    if (className(a) !== className(b) || !y) words.append(" and ", isolated(className(b)));
  }
  const images = element("div", { class: "images" }, picture(a), picture(b));
  return element("figure", { class: `pair ${y ? "same" : "different"}` }, images, words);
}
