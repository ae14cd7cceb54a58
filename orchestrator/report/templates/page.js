"use strict";
// Sorting: a click (or Enter) on a heading sorts by it, a second one turns the order round. Unknown values stay last.
function compareCells(first, second, column, direction) {
  const a = first.cells[column].dataset.value, b = second.cells[column].dataset.value;
  if (a === "" || b === "") return (a === "") - (b === "");
  const numeric = a !== "" && b !== "" && !isNaN(a) && !isNaN(b);
  return direction * (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
}
function sortBy(heading) {
  const body = heading.closest("table").tBodies[0];
  const descending = heading.getAttribute("aria-sort") === "ascending";
  for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...body.rows].sort((a, b) => compareCells(a, b, heading.cellIndex, descending ? -1 : 1));
  body.append(...rows);
}
for (const button of document.querySelectorAll(".sortable thead button")) {
  button.addEventListener("click", () => sortBy(button.parentElement));
}

// Turning objects: one button and one slider for all of them.
const films = document.getElementById("films");
if (films) {
  const play = document.getElementById("play"), turn = document.getElementById("turn");
  const seconds = parseFloat(getComputedStyle(films.querySelector("img")).animationDuration);
  let running = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  const show = () => {
    films.style.setProperty("--state", running ? "running" : "paused");
    play.textContent = running ? "Pause" : "Play";
  };
  play.addEventListener("click", () => { running = !running; show(); });
  turn.addEventListener("input", () => {
    running = false;
    for (const image of films.querySelectorAll("img")) for (const animation of image.getAnimations()) animation.currentTime = 10 * turn.value * seconds;
    show();
  });
  document.querySelector(".controls").hidden = false;
  show();
}
