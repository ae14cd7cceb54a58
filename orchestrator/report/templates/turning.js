// A place in which an object is turned by keys as well as by hand; for the reports and for g3dr demo.
const g3drTurning = (() => {
  const DEGREES = 10, NEARER = 1.2;

  const newCanvas = name => {
    const canvas = document.createElement("canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${name} in 3D: arrow keys turn it, plus and minus come closer and go back, zero shows the front`);
    return canvas;
  };

  const listenToKeys = (canvas, view) => {
    const keys = {
      ArrowLeft: () => view.turnBy(-DEGREES, 0), ArrowRight: () => view.turnBy(DEGREES, 0), ArrowUp: () => view.turnBy(0, DEGREES), ArrowDown: () => view.turnBy(0, -DEGREES),
      "+": () => view.closer(NEARER), "=": () => view.closer(NEARER), "-": () => view.closer(1 / NEARER), "0": () => view.turn(0),
    };
    canvas.addEventListener("keydown", event => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
    });
  };

  return { newCanvas, listenToKeys };
})();
