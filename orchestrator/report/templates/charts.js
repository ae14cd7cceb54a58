// Charts of curves: zoom by wheel, by dragging over a part, by buttons and by keyboard; values at the pointer; a logarithmic scale.
// The curves lie in a picture within the picture, and zooming chooses the part of it that is seen. Without scripts they are still pictures.
{
  const MARGIN = 3, SMALLEST = 1 / 200, NAMED = 6;
  const svgElement = (name, attributes, text = "") => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.textContent = text;
    return element;
  };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const pointsOf = mark => mark.getAttribute("points").split(" ").map(pair => pair.split(",").map(Number));

  class Chart {
    constructor(svg) {
      this.svg = svg;
      this.marks = svg.querySelector(".marks");
      this.ticks = svg.querySelector(".ticks");
      [this.x, this.y] = [axes.read(svg.dataset.x), axes.read(svg.dataset.y)];
      this.whole = this.marks.getAttribute("viewBox").split(" ").map(Number);
      this.seen = [...this.whole];
      this.cursor = svgElement("line", { class: "cursor", y1: this.y.end, y2: this.y.start, visibility: "hidden" });
      this.area = svgElement("rect", { class: "area", y: this.y.end, height: this.y.start - this.y.end, visibility: "hidden" });
      svg.append(this.cursor, this.area);
      this.readCurves();
    }

    readCurves() {
      this.curves = [...this.marks.querySelectorAll("polyline")].map(line => ({ name: line.querySelector("title")?.textContent ?? "", points: pointsOf(line) }));
      this.stops = [...new Set(this.curves.flatMap(curve => curve.points.map(point => point[0])))].sort((a, b) => a - b);
    }

    // From a place in the whole picture to the place where the present zoom shows it, and back; along 0, x, or 1, y.
    shown(place, along) { return this.whole[along] + (place - this.seen[along]) / this.seen[along + 2] * this.whole[along + 2]; }
    hidden(place, along) { return this.seen[along] + (place - this.whole[along]) / this.whole[along + 2] * this.seen[along + 2]; }

    see(left, top, width, height) {
      const [wholeLeft, wholeTop, wholeWidth, wholeHeight] = this.whole;
      width = clamp(width, wholeWidth * SMALLEST, wholeWidth);
      height = clamp(height, wholeHeight * SMALLEST, wholeHeight);
      this.seen = [clamp(left, wholeLeft, wholeLeft + wholeWidth - width), clamp(top, wholeTop, wholeTop + wholeHeight - height), width, height];
      this.marks.setAttribute("viewBox", this.seen.join(" "));
      this.drawTicks();
      this.hideCursor();
    }
    reset() { this.see(...this.whole); }
    zoom(factor, x = this.whole[0] + this.whole[2] / 2, y = this.whole[1] + this.whole[3] / 2) {
      const [left, top, width, height] = this.seen, [placeX, placeY] = [this.hidden(x, 0), this.hidden(y, 1)];
      this.see(placeX - (placeX - left) / factor, placeY - (placeY - top) / factor, width / factor, height / factor);
    }
    pan(right, down) { this.see(this.seen[0] + right * this.seen[2], this.seen[1] + down * this.seen[3], this.seen[2], this.seen[3]); }
    get zoomed() { return this.seen[2] < this.whole[2] || this.seen[3] < this.whole[3]; }

    ends(axis, along) {
      const values = [axis.start, axis.end].map(place => axes.toValue(axis, this.hidden(place, along)));
      return [Math.min(...values), Math.max(...values)];
    }
    drawTicks() {
      const parts = [];
      for (const value of axes.ticks(this.y, ...this.ends(this.y, 1))) {
        const y = this.shown(axes.toPixel(this.y, value), 1);
        parts.push(svgElement("line", { class: "grid", x1: this.x.start, x2: this.x.end, y1: y, y2: y }));
        parts.push(svgElement("text", { class: "tick", x: this.x.start - 6, y: y + 3.5, "text-anchor": "end" }, axes.number(value)));
      }
      for (const value of axes.ticks(this.x, ...this.ends(this.x, 0))) {
        const x = this.shown(axes.toPixel(this.x, value), 0);
        parts.push(svgElement("text", { class: "tick", x, y: this.y.start + 15, "text-anchor": "middle" }, axes.number(value)));
      }
      this.ticks.replaceChildren(...parts);
    }

    get canBeLogarithmic() { return this.y.log || this.y.low > 0; }
    toggleLogarithm() {
      const before = this.y, after = { ...before, log: !before.log };
      for (const mark of this.marks.querySelectorAll("polyline, polygon")) {
        const moved = pointsOf(mark).map(([x, y]) => `${x},${axes.toPixel(after, axes.toValue(before, y)).toFixed(3)}`);
        mark.setAttribute("points", moved.join(" "));
      }
      this.y = after;
      this.readCurves();
      this.reset();
    }

    // Puts the cursor at the measured place nearest to x and returns what is there, curves nearest to y first.
    readAt(x, y) {
      const place = this.hidden(x, 0);
      const stop = this.stops.reduce((best, next) => Math.abs(next - place) < Math.abs(best - place) ? next : best, this.stops[0]);
      return this.readStop(stop, this.hidden(y, 1));
    }
    readStop(stop, height) {
      const at = this.shown(stop, 0);
      for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, at);
      this.cursor.setAttribute("visibility", "visible");
      this.stop = stop;
      const found = this.curves.map(({ name, points }) => ({ name, point: points.find(point => point[0] === stop) })).filter(({ point }) => point);
      found.sort((a, b) => Math.abs(a.point[1] - height) - Math.abs(b.point[1] - height));
      const values = found.map(({ name, point }) => [name, axes.number(axes.toValue(this.y, point[1]))]);
      const where = `${this.svg.querySelector(".name").textContent} ${axes.number(axes.toValue(this.x, stop))}`;
      if (values.length === 1) return `${where}: ${values[0][1]}`;
      const more = values.length > NAMED ? [`and ${values.length - NAMED} more`] : [];
      return [where, ...values.slice(0, NAMED).map(([name, value]) => `${value}  ${name}`), ...more].join("\n");
    }
    step(direction) {
      const inside = this.stops.filter(stop => stop >= this.seen[0] && stop <= this.seen[0] + this.seen[2]);
      const next = this.stop === undefined ? (direction > 0 ? 0 : inside.length - 1) : clamp(inside.indexOf(this.stop) + direction, 0, inside.length - 1);
      return inside.length ? this.readStop(inside[next], this.seen[1] + this.seen[3] / 2) : "";
    }
    hideCursor() {
      this.stop = undefined;
      this.cursor.setAttribute("visibility", "hidden");
    }

    select(from, to) {
      const [left, right] = [Math.min(from, to), Math.max(from, to)];
      this.area.setAttribute("x", left);
      this.area.setAttribute("width", right - left);
      this.area.setAttribute("visibility", "visible");
    }
    zoomToSelection(from, to) {
      this.area.setAttribute("visibility", "hidden");
      const [left, right] = [Math.min(from, to), Math.max(from, to)].map(place => this.hidden(place, 0));
      if (right - left > this.seen[2] / 40) this.see(left - MARGIN, this.seen[1], right - left + 2 * MARGIN, this.seen[3]);
    }

    place(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
      return [clamp(point.x, this.x.start, this.x.end), clamp(point.y, this.y.end, this.y.start)];
    }
  }

  const toolbar = (chart, said) => {
    const bar = Object.assign(document.createElement("div"), { className: "chart-bar" });
    const tools = [["\u2212", "Zoom out", () => chart.zoom(1 / 1.5)], ["+", "Zoom in", () => chart.zoom(1.5)], ["Reset", "Show all of the chart", () => chart.reset()]];
    if (chart.canBeLogarithmic) tools.push(["Log", "Logarithmic scale", button => {
      chart.toggleLogarithm();
      button.setAttribute("aria-pressed", chart.y.log);
    }]);
    const buttons = tools.map(([text, label, act]) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: text, title: label });
      button.setAttribute("aria-label", label);
      button.addEventListener("click", () => act(button));
      return button;
    });
    if (chart.canBeLogarithmic) buttons.at(-1).setAttribute("aria-pressed", chart.y.log);
    const group = Object.assign(document.createElement("span"), { className: "tools" });
    group.append(...buttons);
    bar.append(said, group);
    return bar;
  };

  const listenToKeys = (chart, say) => {
    const keys = {
      "+": () => chart.zoom(1.5), "=": () => chart.zoom(1.5), "-": () => chart.zoom(1 / 1.5), "0": () => chart.reset(), Escape: () => chart.reset(),
      ArrowLeft: event => event.shiftKey ? chart.pan(-0.2, 0) : say(chart.step(-1)), ArrowRight: event => event.shiftKey ? chart.pan(0.2, 0) : say(chart.step(1)),
      ArrowUp: event => event.shiftKey && chart.pan(0, -0.2), ArrowDown: event => event.shiftKey && chart.pan(0, 0.2),
    };
    chart.svg.addEventListener("keydown", event => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key.startsWith("ArrowUp") || event.key.startsWith("ArrowDown") ? event.shiftKey : event.key !== "Escape" || chart.zoomed) event.preventDefault();
      keys[event.key](event);
    });
  };

  const listenToPointer = (chart, say) => {
    const { svg } = chart;
    let from = null;
    svg.addEventListener("pointerdown", event => {
      if (event.button !== 0) return;
      [from] = chart.place(event);
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", event => {
      const [x, y] = chart.place(event);
      if (from !== null && Math.abs(x - from) > MARGIN) chart.select(from, x);
      say(chart.readAt(x, y));
    });
    svg.addEventListener("pointerup", event => {
      if (from !== null) chart.zoomToSelection(from, chart.place(event)[0]);
      from = null;
    });
    svg.addEventListener("pointercancel", () => {
      chart.area.setAttribute("visibility", "hidden");
      from = null;
    });
    svg.addEventListener("pointerleave", () => { chart.hideCursor(); say(""); });
    svg.addEventListener("dblclick", () => chart.reset());
    // The wheel scrolls the page until the chart was chosen by a click or by the keyboard.
    svg.addEventListener("wheel", event => {
      if (document.activeElement !== svg && !event.ctrlKey) return;
      event.preventDefault();
      chart.zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, ...chart.place(event));
    }, { passive: false });
  };

  for (const svg of document.querySelectorAll(".chart[data-x]")) {
    const said = Object.assign(document.createElement("span"), { className: "said" }), chart = new Chart(svg);
    said.setAttribute("role", "status");
    const say = text => {
      said.textContent = text;
      said.classList.toggle("list", text.includes("\n"));
      said.classList.remove("leftwards");
      said.classList.toggle("leftwards", said.getBoundingClientRect().right > document.documentElement.clientWidth);
    };
    svg.tabIndex = 0;
    svg.setAttribute("aria-description", "Left and right read values, shift with arrows moves, plus and minus zoom, zero shows all.");
    svg.after(toolbar(chart, said));
    listenToKeys(chart, say);
    listenToPointer(chart, say);
  }
}
