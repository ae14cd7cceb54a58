// Tables: a click (or Enter) on a heading sorts by it, a second one turns the order round; unknown values stay last.
// The buttons below copy the table as it is sorted.
{
  const compareCells = (first, second, column, direction) => {
    const a = first.cells[column].dataset.value, b = second.cells[column].dataset.value;
    if (a === "" || b === "") return (a === "") - (b === "");
    return direction * (isNaN(a) || isNaN(b) ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  };

  const sortBy = heading => {
    const body = heading.closest("table").tBodies[0];
    const descending = heading.getAttribute("aria-sort") === "ascending";
    for (const other of heading.parentElement.cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    body.append(...[...body.rows].sort((a, b) => compareCells(a, b, heading.cellIndex, descending ? -1 : 1)));
  };

  // The text was written with the page, one line a row; here its rows only change places.
  const textInOrder = (area, rows) => {
    const lines = area.value.split("\n"), head = +area.dataset.head, count = +area.dataset.rows;
    const sorted = [...rows].map(row => lines[head + +row.dataset.row]);
    return [...lines.slice(0, head), ...sorted, ...lines.slice(head + count)].join("\n");
  };

  // Pages that were opened from a disk may have no clipboard of the new kind; the old one needs a visible selection.
  const copyBySelection = text => {
    const area = Object.assign(document.createElement("textarea"), { value: text, className: "hidden" }), focused = document.activeElement;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return copied;
  };

  const copy = async text => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return copyBySelection(text);
    }
  };

  const copyTable = async button => {
    const data = button.closest(".data"), said = data.querySelector(".said");
    const copied = await copy(textInOrder(button.nextElementSibling, data.querySelector("table").tBodies[0].rows));
    said.textContent = copied ? `Copied as ${button.textContent}.` : "This browser does not let pages copy.";
    setTimeout(() => { said.textContent = ""; }, 4000);
  };

  for (const button of document.querySelectorAll(".sortable thead button")) button.addEventListener("click", () => sortBy(button.parentElement));
  for (const bar of document.querySelectorAll(".copy-bar")) {
    bar.hidden = false;
    for (const button of bar.querySelectorAll("button")) button.addEventListener("click", () => copyTable(button));
  }
}
