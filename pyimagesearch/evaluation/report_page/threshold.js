// The threshold: distances of the test pairs, and what another threshold would do.

// how many of sorted distances lie below a threshold: float32 compared as double, as in Python
function counter({ count, distances, ranks }) {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;
  const sorted = new Float32Array(bytes(distances));
  const rank = ranks && new Uint32Array(bytes(ranks));
  function below(threshold) {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle] < threshold) low = middle + 1; else high = middle;
    }
    if (low === sorted.length) return count;
    return rank ? rank[low] : low;
  }
  return { count, below, low: sorted[0] ?? 0, high: sorted[sorted.length - 1] ?? 0 };
}

const kinds = Object.fromEntries(Object.entries(data.steps).map(([kind, found]) => [kind, counter(found)]));

// the scale of slider and histogram: from 0 to the largest distance of a test pair
const lowest = Math.min(0, kinds.same.low, kinds.different.low);
const highest = Math.max(kinds.same.high, kinds.different.high, data.threshold, lowest + 1e-6);
const EDGE = 10; // pixels: half the thumb of a slider, which stops so far from the ends

function measured(threshold) {
  const [same, different, all] = [kinds.same, kinds.different, kinds.all];
  const right = same.below(threshold) + different.count - different.below(threshold);
  return {
    tmr: same.below(threshold) / same.count,
    fmr: all.below(threshold) / all.count,
    accuracy: right / (same.count + different.count),
  };
}

function showThreshold(threshold) {
  const figures = measured(threshold);
  show("live-threshold", threshold, decimal(threshold, highest < 0.1 ? 6 : 3));
  show("live-tmr", figures.tmr, percent(figures.tmr));
  show("live-fmr", figures.fmr, rate(figures.fmr));
  show("live-accuracy", figures.accuracy, percent(figures.accuracy));
  const slider = byId("slider");
  slider.value = Math.round((1000 * (threshold - lowest)) / (highest - lowest));
  slider.setAttribute("aria-valuetext", `${decimal(threshold, 3)}: TMR ${percent(figures.tmr)}, FMR ${rate(figures.fmr)}`);
  if (document.activeElement !== byId("exact")) byId("exact").value = Number(threshold.toPrecision(7));
  for (const button of byId("stops").children) button.setAttribute("aria-pressed", Number(button.value) === threshold);
  const line = document.querySelector("#histogram .threshold");
  if (line) moveLine(line, threshold, byId("histogram").clientWidth);
  showChanges(threshold);
}

function show(id, value, text) {
  byId(id).textContent = text;
  byId(id).dataset.value = value;
}

function showChanges(threshold) {
  const own = data.threshold;
  const between = (kind) => Math.abs(kinds[kind].below(threshold) - kinds[kind].below(own));
  const [same, different] = [between("same"), between("different")];
  const nearest = (pairs) => [...pairs].sort((a, b) => Math.abs(a[2] - threshold) - Math.abs(b[2] - threshold));
  const wanted = [Math.min(own, threshold), Math.max(own, threshold)];
  let shown = data.pairs.filter((pair) => wanted[0] <= pair[2] && pair[2] < wanted[1]);
  let words = threshold > own
    ? `${same} same pairs more are found, and ${different} different pairs more are called the same.`
    : `${same} same pairs more are missed, and ${different} different pairs more are told apart.`;
  let title = `Pairs that change sides: ${same + different}`;
  if (threshold === own) {
    shown = data.pairs;
    title = "Pairs nearest to the threshold";
    words = "These would change sides first.";
  } else if (same + different > 12) words += " Some of them, the nearest to the new threshold first:";
  byId("changes-title").textContent = title;
  show("changes", same + different, words);
  byId("changed").replaceChildren(...nearest(shown).slice(0, 12).map((pair) => pairCard(pair, threshold)));
}

function place(threshold, width) {
  return EDGE + ((width - 2 * EDGE) * (threshold - lowest)) / (highest - lowest);
}

function moveLine(line, threshold, width) {
  const x = Math.max(EDGE, Math.min(place(threshold, width), width - EDGE));
  line.setAttribute("x1", x);
  line.setAttribute("x2", x);
}

function drawHistogram(width) {
  const [height, bottom, top] = [220, 196, 8];
  const bars = Math.max(20, Math.min(60, Math.floor(width / 12)));
  const edges = Array.from({ length: bars + 1 }, (_, k) => lowest + ((highest - lowest) * k) / bars);
  edges[bars] = Infinity;
  const counts = (kind) => edges.slice(1).map((edge, k) => kind.below(edge) - (k ? kind.below(edges[k]) : 0));
  const most = Math.max(...counts(kinds.same), ...counts(kinds.different), 2);
  const y = (count) => bottom - ((bottom - top) * Math.log(count / 0.5)) / Math.log(most / 0.5); // a single pair is seen
  const label = "How many test pairs lie at which distance, on a logarithmic scale";
  const svg = drawn("svg", { height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (let power = 1; power <= most; power *= 10) {
    svg.append(drawn("line", { class: "grid", x1: EDGE, x2: width - EDGE, y1: y(power), y2: y(power) }));
    svg.append(drawn("text", { x: width - EDGE, y: y(power) - 3, "text-anchor": "end" }, String(power)));
  }
  for (const tick of ticks(lowest, highest, Math.max(3, width / 120))) {
    svg.append(drawn("text", { x: place(tick, width), y: bottom + 18, "text-anchor": "middle" }, String(tick)));
  }
  const step = (width - 2 * EDGE) / bars;
  for (const kind of ["different", "same"]) {
    for (const [k, count] of counts(kinds[kind]).entries()) {
      if (!count) continue;
      const box = { x: EDGE + k * step + 0.5, width: step - 1, y: y(count), height: bottom - y(count) };
      svg.append(drawn("rect", { class: `bars ${kind}`, ...box }));
    }
  }
  const lines = [["stored", data.threshold], ["threshold", current]];
  for (const [name, threshold] of lines) {
    const line = drawn("line", { class: name, y1: top - 6, y2: bottom });
    moveLine(line, threshold, width);
    svg.append(line);
  }
  byId("histogram").replaceChildren(svg);
}

let current = data.threshold;

function setThreshold(threshold) {
  if (!Number.isFinite(threshold)) return;
  current = threshold;
  showThreshold(current);
}

function startThreshold() {
  const stops = [["The model's", data.threshold]];
  for (const [share, threshold] of Object.entries(data.points)) stops.push([`${Number((100 * share).toPrecision(6))} % FMR`, threshold]);
  for (const [name, threshold] of stops) {
    const button = element("button", { type: "button", value: threshold }, name);
    button.addEventListener("click", () => setThreshold(threshold));
    byId("stops").append(button);
  }
  const pairs = data.class_of.length ? `all pairs of ${data.fmr_images} images` : `the different pairs of ${data.fmr_images} images`;
  byId("fmr-basis").textContent = `TMR and the pairs right are of the ${kinds.same.count} same and ${kinds.different.count} different test pairs; `
    + `the FMR rests on ${pairs}, as in the table above (${kinds.all.count} different pairs). The buttons set what was calibrated.`;
  byId("slider").addEventListener("input", (event) => setThreshold(lowest + ((highest - lowest) * event.target.value) / 1000));
  byId("exact").addEventListener("input", (event) => event.target.value && setThreshold(Number(event.target.value)));
  // report.html#threshold=0.5 opens at that threshold
  const asked = new URLSearchParams(location.hash.slice(1)).get("threshold");
  if (asked && Number.isFinite(Number(asked))) current = Number(asked);
  showThreshold(current);
  whenResized(byId("histogram"), drawHistogram);
}
