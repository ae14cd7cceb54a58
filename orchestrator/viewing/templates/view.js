"use strict";
// One page for the list of experiments and one for each of them. It asks again every few seconds, and changes only what is different.
const SVG = "http://www.w3.org/2000/svg";
const STATES = ["finished", "stopped", "running", "failed", "cancelled", "interrupted", "waiting", "missing"];
const RUNNING_MS = 2000, QUIET_MS = 10000, STYLES = 8;
const byId = id => document.getElementById(id);
const place = location.pathname.split("/").filter(Boolean);
const experiment = place[0] === "experiments" ? decodeURIComponent(place[1]) : null;
const address = "/api/experiments" + (experiment === null ? "" : "/" + encodeURIComponent(experiment));
let chosenStage = "";

function say(node, words) { if (node.textContent !== words) node.textContent = words; }
function mark(node, name, value) { if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value); }
function show(node, visible) { if (node.hidden === visible) node.hidden = !visible; }
function make(name, kind = "", words = "") {
  const node = document.createElement(name);
  if (kind) node.className = kind;
  if (words) node.textContent = words;
  return node;
}
function draw(name, attributes) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}
// Makes the children of `parent` those of `items`, in their order; those that are there already stay and are only updated.
function sync(parent, items, key, create, update) {
  const there = new Map([...parent.children].map(child => [child.dataset.key, child]));
  let before = null;
  for (const item of items) {
    const name = key(item);
    let node = there.get(name);
    if (!node) { node = create(item); node.dataset.key = name; }
    there.delete(name);
    const next = before ? before.nextElementSibling : parent.firstElementChild;
    if (next !== node) parent.insertBefore(node, next);
    update(node, item);
    before = node;
  }
  for (const node of there.values()) node.remove();
}

function number(value) {
  if (value === null || value === undefined) return "";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return Number(value.toPrecision(4)).toLocaleString("en");
}
function duration(seconds) {
  if (seconds < 100) return Math.round(seconds) + " s";
  return seconds < 6000 ? Math.round(seconds / 60) + " min" : (seconds / 3600).toFixed(1) + " h";
}
function counted(counts) { return STATES.filter(state => counts[state]).map(state => counts[state].toLocaleString("en") + " " + state).join(", "); }
function bestWords(best) { return best ? "best so far: " + (best.value === null ? "" : best.metric + " " + number(best.value) + ", ") + best.label : ""; }
function fillBar(bar, counts) {
  mark(bar, "aria-label", counted(counts) || "not begun");
  sync(bar, STATES.filter(state => counts[state]), state => state, state => make("span", state + " some"), (part, state) => {
    if (part.style.getPropertyValue("--share") !== String(counts[state])) part.style.setProperty("--share", counts[state]);
  });
}
function makeBar() { const bar = make("div", "bar"); bar.setAttribute("role", "img"); return bar; }
function setState(node, state) { say(node, state); mark(node, "class", "state " + state); }

// The list.
function makeCard(item) {
  const card = make("article", "card"), top = make("div", "top"), heading = make("h2"), link = make("a", "", item.experiment);
  link.href = "/experiments/" + encodeURIComponent(item.experiment);
  heading.append(link);
  top.append(heading, make("span", "state"));
  const report = make("a", "", "Report");
  const last = make("p");
  last.append(report);
  card.append(top, make("p", "note"), makeBar(), make("p", "note"), make("p"), make("p", "note"), last);
  return card;
}
function fillCard(card, item) {
  const [top, description, bar, counts, best, now, last] = card.children;
  setState(top.lastChild, item.state);
  say(description, item.description);
  fillBar(bar, item.counts);
  say(counts, (counted(item.counts) || "no runs yet") + "; " + item.begun + " of " + item.stages + " stages begun");
  say(best, bestWords(item.best));
  say(now, item.now.map(nowWords).join("; "));
  show(last, item.report !== null);
  if (item.report) mark(last.firstChild, "href", item.report);
}
function nowWords(live) {
  const left = live.seconds_left === null ? "" : ", about " + duration(live.seconds_left) + " left in this stage";
  return (live.stage || live.note || "between stages") + " on " + live.host + left;
}
function fillList(data) {
  show(byId("list"), true);
  say(byId("where"), data.root);
  sync(byId("cards"), data.experiments, item => item.experiment, makeCard, fillCard);
  show(byId("none"), data.experiments.length === 0);
  say(byId("none"), "No experiments there yet. Begin one: g3dr run experiments/quickstart.yaml --root " + data.root);
  show(byId("comparing"), data.comparisons.length > 0);
  sync(byId("comparisons"), data.comparisons, item => item.name, item => {
    const line = make("li"), link = make("a", "", item.name);
    link.href = item.report;
    line.append(link);
    return line;
  }, () => {});
  return data.experiments.some(item => item.state === "running");
}

// One experiment.
function fillLive(data) {
  document.title = (data.state === "running" ? "\u25b6 " : "") + data.experiment + " \u00b7 g3dr view";
  show(byId("live"), true);
  say(byId("title"), data.experiment);
  say(byId("lead"), data.description);
  say(byId("where"), data.root);
  fillStanding(data);
  sync(byId("now"), data.live, live => live.host + " " + live.pid, () => { const node = make("div", "machine"); node.append(make("p"), make("p", "note"), make("p", "notice")); return node; }, fillMachine);
  sync(byId("stages"), data.stages, stage => stage.name, makeStage, fillStage);
  sync(byId("runs"), data.runs, run => run.stage + "/" + run.run, makeRun, fillRun);
  say(byId("runs-note"), data.more_runs ? "and " + data.more_runs.toLocaleString("en") + " more; g3dr status lists them" : data.runs.length ? "" : "none yet");
  fillSheets(data.sheets);
}
function fillStanding(data) {
  const node = byId("standing");
  if (!node.firstChild) { node.append(make("span"), document.createTextNode(" \u00b7 "), make("span"), document.createTextNode(" "), make("a", "", "Report")); }
  const [state, words, report] = node.children;
  setState(state, data.state);
  say(words, (counted(data.counts) || "no runs yet") + (data.stopping ? "; somebody asked to stop it" : ""));
  show(report, data.report !== null);
  if (data.report) mark(report, "href", data.report);
}
function fillMachine(node, live) {
  const [words, task, error] = node.children, runs = live.state === "running";
  const left = live.seconds_left === null ? "" : ", about " + duration(live.seconds_left) + " left";
  const cost = live.cost_left === null ? "" : " (" + live.currency + " " + live.cost_left.toFixed(2) + ")";
  const stage = live.stage ? live.stage + ": " + live.done.toLocaleString("en") + " of " + live.runs.toLocaleString("en") + " runs done" + left + cost : live.note || "between stages";
  const gone = live.state === "lost" ? "not heard for " + duration(live.age) + "; run the experiment again to go on" : live.state + " " + duration(live.age) + " ago";
  say(words, runs ? stage : gone + ", after " + duration(live.seconds));
  const waits = live.waiting ? "; " + live.waiting + " waiting (" + live.why + ")" : "";
  const work = live.task ? "; " + live.task.what + ": " + live.task.done.toLocaleString("en") + " of " + live.task.total.toLocaleString("en") : "";
  say(task, "on " + live.host + ", process " + live.pid + (runs ? ", for " + duration(live.seconds) + waits + work : ""));
  show(error, live.error !== "");
  say(error, live.error);
}
function makeStage() {
  const node = make("div", "stage"), heading = make("h3");
  heading.append(make("span"), document.createTextNode(" "), make("small"));
  node.append(heading, makeBar(), make("p"), make("p"));
  return node;
}
function fillStage(node, stage) {
  const [heading, bar, counts, best] = node.children;
  say(heading.firstElementChild, stage.name);
  say(heading.lastElementChild, stage.kind);
  fillBar(bar, stage.counts);
  say(counts, (counted(stage.counts) || "not begun") + (stage.seconds ? ", " + duration(stage.seconds) : ""));
  say(best, bestWords(stage.best));
}
function makeRun() {
  const row = make("tr"), name = make("th"), state = make("td"), step = make("td", "step"), numbers = make("td", "numbers");
  name.scope = "row";
  name.append(make("span"), make("small"));
  state.append(make("span"));
  step.append(make("span"), make("progress"));
  step.lastChild.setAttribute("aria-label", "steps done");
  numbers.append(make("span"), make("small", "error"));
  row.append(name, state, step, numbers);
  return row;
}
function fillRun(row, run) {
  const [name, state, step, numbers] = row.cells;
  say(name.firstChild, run.label);
  say(name.lastChild, run.stage + " \u00b7 " + run.run.slice(0, 8));
  setState(state.firstChild, run.state);
  say(step.firstChild, ["waiting", "missing"].includes(run.state) && !run.step ? "" : run.step.toLocaleString("en") + (run.steps ? " of " + run.steps.toLocaleString("en") : ""));
  show(step.lastChild, Boolean(run.steps));
  if (run.steps) { mark(step.lastChild, "max", run.steps); mark(step.lastChild, "value", run.step); }
  const first = ["loss", ...Object.keys(run.metrics)].filter((key, index, all) => key in run.metrics && all.indexOf(key) === index);
  const words = first.slice(0, 4).map(key => key + " " + number(run.metrics[key]));
  if (run.rate) words.push(number(run.rate) + " steps/s");
  say(numbers.firstChild, words.join(", "));
  say(numbers.lastChild, run.error || "");
}

// Curves.
function fillCurves(data, stages) {
  const begun = stages.filter(stage => Object.keys(stage.counts).length);
  const names = Object.keys(data.metrics);
  show(byId("curves"), names.length > 0 || begun.length > 1);
  sync(byId("tabs"), begun.length > 1 ? begun : [], stage => stage.name, stage => {
    const button = make("button", "", stage.name);
    button.type = "button";
    button.addEventListener("click", () => { chosenStage = stage.name; refreshCurves(stages).catch(() => {}); });
    return button;
  }, (button, stage) => mark(button, "aria-pressed", stage.name === data.stage));
  sync(byId("legend"), data.runs.length > 1 ? data.runs.slice(0, STYLES) : [], run => run.run, run => {
    const line = make("li"), sign = draw("svg", { viewBox: "0 0 26 8", "aria-hidden": "true" });
    sign.append(draw("line", { x1: 0, x2: 26, y1: 4, y2: 4 }));
    line.append(sign, make("span"));
    return line;
  }, (line, run) => { mark(line.firstChild.firstChild, "class", "curve s" + run.style % STYLES); say(line.lastChild, run.label); });
  sync(byId("panels"), names, name => data.stage + "/" + name, makePanel, (figure, name) => fillPanel(figure, name, data));
  const more = data.more + Math.max(0, data.runs.length - STYLES);
  say(byId("curves-note"), names.length ? (data.more ? data.more + " more runs are not drawn. " : "") + (more > data.more ? "Colours repeat after " + STYLES + " runs." : "") : "No numbers of this stage yet.");
}
function makePanel(name) {
  const figure = make("figure"), caption = make("figcaption"), chart = draw("svg", { class: "chart", viewBox: "0 0 300 170", role: "img" });
  caption.append(make("b"), make("span"));
  chart.append(draw("g", {}), draw("g", {}));
  figure.append(chart, caption);
  return figure;
}
function range(values, logarithmic) {
  let low = Math.min(...values), high = Math.max(...values);
  if (logarithmic) return [low / 1.15, high * 1.15];
  const margin = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [low >= 0 ? Math.max(0, low - margin) : low - margin, high + margin];
}
function ticks(low, high, logarithmic) {
  if (logarithmic) {
    const found = [];
    for (let decade = Math.floor(Math.log10(low)); decade <= Math.log10(high); decade++) {
      for (const factor of [1, 3]) { const value = factor * 10 ** decade; if (value >= low && value <= high) found.push(value); }
    }
    if (found.length > 1) return found;
  }
  const rough = (high - low) / 4, scale = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map(factor => factor * scale).find(value => value >= rough * 0.999);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-9; value += step) found.push(Math.abs(value) < step * 1e-9 ? 0 : value);
  return found;
}
function fillPanel(figure, name, data) {
  const [chart, caption] = figure.children, lines = data.metrics[name];
  const state = JSON.stringify(lines);
  if (figure.state === state) return;
  figure.state = state;
  const points = Object.values(lines).flat(), values = points.map(point => point[1]);
  const logarithmic = Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 20;
  const [low, high] = range(values, logarithmic), last = Math.max(1, ...points.map(point => point[0]));
  const x = value => 46 + value / last * 244;
  const share = value => logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  const y = value => 140 - share(value) * 132;
  mark(chart, "aria-label", name + " over steps");
  const grid = [];
  for (const tick of ticks(low, high, logarithmic)) {
    const text = draw("text", { class: "tick", x: 40, y: y(tick) + 3.5, "text-anchor": "end" });
    text.textContent = number(tick);
    grid.push(draw("line", { class: "grid", x1: 46, x2: 290, y1: y(tick), y2: y(tick) }), text);
  }
  for (const tick of ticks(0, last, false)) {
    const text = draw("text", { class: "tick", x: x(tick), y: 155, "text-anchor": "middle" });
    text.textContent = tick >= 10000 ? tick / 1000 + "k" : number(tick);
    grid.push(text);
  }
  const unit = draw("text", { class: "name", x: 290, y: 168, "text-anchor": "end" });
  unit.textContent = "step";
  chart.firstChild.replaceChildren(...grid, unit);
  sync(chart.lastChild, data.runs.filter(run => lines[run.run]), run => run.run, run => {
    const line = draw("polyline", {});
    line.append(draw("title", {}));
    return line;
  }, (line, run) => {
    const drawn = lines[run.run].length > 1 ? lines[run.run] : [lines[run.run][0], lines[run.run][0]];
    mark(line, "class", "curve s" + run.style % STYLES + (lines[run.run].length > 1 ? "" : " alone"));
    mark(line, "points", drawn.map(point => x(point[0]).toFixed(1) + "," + y(point[1]).toFixed(1)).join(" "));
    say(line.firstChild, run.label);
  });
  const ends = Object.values(lines).map(line => line[line.length - 1][1]);
  say(caption.firstChild, name);
  say(caption.lastChild, "last " + (ends.length === 1 ? number(ends[0]) : number(Math.min(...ends)) + " to " + number(Math.max(...ends))));
}

// Pictures: each evaluation is asked for once.
function fillSheets(sheets) {
  show(byId("pictures"), sheets.length > 0);
  sync(byId("sheets"), sheets, sheet => sheet.run + "/" + sheet.evaluation, sheet => {
    const node = make("div");
    node.append(make("h3", "", sheet.stage + (sheet.label && sheet.label !== sheet.stage ? ": " + sheet.label : "")), make("p", "note", "loading"));
    loadSheet(node, sheet);
    return node;
  }, () => {});
}
async function loadSheet(node, sheet) {
  try {
    const answer = await ask("/api/pictures/" + encodeURIComponent(sheet.run) + "/" + encodeURIComponent(sheet.evaluation));
    node.lastChild.replaceWith(makeSheet(answer));
  } catch (error) { say(node.lastChild, "no pictures: " + error.message); }
}
function makeSheet(answer) {
  const scroll = make("div", "scroll"), table = make("table", "sheet"), head = table.createTHead().insertRow(), body = table.createTBody();
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", "Pictures");
  table.style.setProperty("--columns", answer.labels.length);
  for (const label of answer.labels) { const cell = make("th", "", label); cell.scope = "col"; head.append(cell); }
  for (const row of answer.rows) {
    const line = body.insertRow();
    line.title = row.name;
    for (const picture of row.pictures) {
      const image = make("img", picture.width <= 64 ? "small" : "");
      image.src = picture.source; image.alt = picture.description; image.width = picture.width; image.height = picture.height;
      line.insertCell().append(image);
    }
  }
  scroll.append(table);
  return scroll;
}

// Asking again and again.
async function ask(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error || answer.statusText);
  return value;
}
async function refreshCurves(stages) {
  const query = chosenStage ? "?stage=" + encodeURIComponent(chosenStage) : "";
  fillCurves(await ask(address + "/curves" + query), stages);
}
async function refresh() {
  if (experiment === null) return fillList(await ask(address));
  const data = await ask(address);
  fillLive(data);
  await refreshCurves(data.stages);
  return data.state === "running";
}
async function again() {
  let wait = QUIET_MS;
  if (!document.hidden) {
    try {
      wait = await refresh() ? RUNNING_MS : QUIET_MS;
      show(byId("trouble"), false);
    } catch (error) {
      say(byId("trouble"), error instanceof TypeError ? "g3dr view does not answer; is it still running?" : error.message);
      show(byId("trouble"), true);
    }
    document.documentElement.dataset.asked = Number(document.documentElement.dataset.asked || 0) + 1;
  }
  timer = setTimeout(again, wait);
}
let timer = 0;
document.addEventListener("visibilitychange", () => { if (!document.hidden) { clearTimeout(timer); again(); } });
again();
