// The rest of the page, and its start.

function showHead() {
  document.title = byId("title").textContent = data.title;
  byId("summary").textContent = data.summary;
  byId("notes").append(...data.notes.map((note) => element("li", { dir: "auto" }, note)));
  byId("basis").textContent = data.basis;
}

function showFigures() {
  for (const [name, ...texts] of data.figures) {
    const cells = texts.map((text) => {
      if (!/^\d/.test(text)) return element("td", { class: "none" }, text);
      const [value, ...rest] = text.split(" (");
      const cell = element("td", {}, element("strong", {}, value));
      if (rest.length) cell.append(" ", element("small", {}, `(${rest.join(" (")}`));
      return cell;
    });
    byId("figures").tBodies[0].append(element("tr", {}, element("th", { scope: "row" }, name.replaceAll(" %", "\u00a0%")), ...cells));
  }
}

function drawLoss(width) {
  const { epoch } = data.history;
  const lines = [["same", data.history.loss], ["different", data.history.val_loss]].filter(([, values]) => values);
  const known = lines.flatMap(([, values]) => values).filter((value) => value !== null);
  const height = Math.max(240, Math.min(width * 0.62, 340));
  const [left, bottom, top] = [52, height - 34, 10];
  const high = Math.max(...known, 1e-9);
  const low = Math.min(0, ...known);
  const [first, last] = [epoch[0], epoch[epoch.length - 1]];
  const x = (k) => (last > first ? left + 6 + ((width - left - 18) * (epoch[k] - first)) / (last - first) : (width + left) / 2);
  const y = (value) => bottom - ((bottom - top) * (value - low)) / (high - low);
  const svg = drawn("svg", { height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Loss of each epoch; the numbers are in the table below" });
  for (const tick of ticks(low, high, 5)) {
    svg.append(drawn("line", { class: "grid", x1: left, x2: width, y1: y(tick), y2: y(tick) }));
    svg.append(drawn("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, String(tick)));
  }
  const marks = last > first ? ticks(first, last, Math.min(8, last - first)).filter(Number.isInteger) : [first];
  for (const mark of marks) {
    const at = last > first ? left + 6 + ((width - left - 18) * (mark - first)) / (last - first) : x(0);
    svg.append(drawn("text", { x: at, y: bottom + 18, "text-anchor": "middle" }, String(mark)));
  }
  svg.append(drawn("text", { x: (left + width) / 2, y: height - 2, "text-anchor": "middle" }, "epoch"));
  for (const [name, values] of lines) {
    let path = "";
    values.forEach((value, k) => { // a loss that is no number leaves a gap
      if (value === null) return;
      path += `${k && values[k - 1] !== null ? "L" : "M"}${x(k)} ${y(value)}`;
      const alone = (values[k - 1] ?? null) === null && (values[k + 1] ?? null) === null;
      if (values.length <= 30 || alone) svg.append(drawn("circle", { class: name, cx: x(k), cy: y(value), r: 3.5 }));
    });
    svg.append(drawn("path", { class: `curve ${name}`, d: path }));
  }
  byId("loss").replaceChildren(svg);
}

function startLoss() {
  const { epoch } = data.history;
  if (!epoch.length) return void byId("loss").append("No epoch was finished.");
  const legend = (key, name) => byId("loss-legend").append(element("span", {}, element("i", { class: `key ${key}` }), name));
  legend("solid", "on training pairs");
  if (data.history.val_loss) legend("dashed", "on validation pairs");
  whenResized(byId("loss"), drawLoss);
  const names = Object.keys(data.history);
  byId("epochs").tHead.append(element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name))));
  const number = (value) => (value === null ? "no number" : String(Number(value.toPrecision(5))));
  for (const k of epoch.keys()) {
    byId("epochs").tBodies[0].append(element("tr", {}, ...names.map((name) => element("td", {}, number(data.history[name][k])))));
  }
  boundHeight(byId("epochs"));
}

function showWorst() {
  for (const kind of ["same", "different"]) {
    byId(`worst-${kind}`).append(...data.worst[kind].map((k) => pairCard(data.pairs[k], data.threshold)));
  }
}

function boundHeight(table) { // a long one scrolls in itself
  table.parentNode.classList.toggle("long", table.rows.length > 30);
}

const COLUMNS = [["Class", 0], ["Images", 1], ["TMR: same pairs found", 2], ["FMR: others called the same", 4]];

function showClasses() {
  byId("by-class").hidden = !data.classes;
  if (!data.classes) return;
  const { rows, count, confused } = data.classes;
  byId("classes-hint").textContent = "At the model's threshold. A heading sorts."
    + (rows.length < count ? ` The ${rows.length} of ${count} classes of which the fewest same pairs are found; all are in metrics.json.` : "");
  const heads = COLUMNS.map(([name, column]) => {
    const button = element("button", { type: "button" }, name);
    const head = element("th", { scope: "col", "aria-sort": "none" }, button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      showRows(sorted(rows, column, down));
    });
    return head;
  });
  byId("classes").tHead.append(element("tr", {}, ...heads));
  heads[2].setAttribute("aria-sort", "ascending");
  showRows(sorted(rows, 2, false));
  boundHeight(byId("classes"));
  byId("confused-title").hidden = !confused.length;
  for (const [a, b, share] of confused) {
    byId("confused").append(element("li", {}, isolated(a), " and ", isolated(b), `: ${share} of their pairs called the same`));
  }
}

function sorted(rows, column, down) { // what is not known comes last
  const sign = down ? -1 : 1;
  const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  return [...rows].sort(({ [column]: a }, { [column]: b }) => (a === null) - (b === null) || sign * compare(a, b));
}

function showRows(rows) {
  const share = (text) => {
    const [value, ...rest] = (text || "not known").split(" (");
    return element("td", {}, value, ...(rest.length ? [element("span", { class: "interval" }, `(${rest.join(" (")}`)] : []));
  };
  byId("classes").tBodies[0].replaceChildren(...rows.map(([name, images, , tmr, , fmr]) =>
    element("tr", {}, element("th", { scope: "row" }, isolated(name)), element("td", {}, String(images)), share(tmr), share(fmr))));
}

function showSettings() {
  for (const name of ["settings", "parts", "run"]) {
    byId(name).tBodies[0].append(...data[name].map(([key, value]) =>
      element("tr", {}, element("th", { scope: "row" }, key), element("td", {}, isolated(value)))));
  }
}

for (const start of [showHead, showFigures, startLoss, startThreshold, startMap, showWorst, showClasses, showSettings]) start();
