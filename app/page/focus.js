// Moves the focus with the arrow keys between elements that lie in rows.

const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** Let the arrow keys move the focus between the elements of `rows`. Tab reaches only the one that had it last. */
export function addArrowKeys(rows) {
  let [[reachable]] = rows;
  for (const element of rows.flat()) {
    element.tabIndex = element === reachable ? 0 : -1;
    element.addEventListener("focus", () => {
      reachable.tabIndex = -1;
      element.tabIndex = 0;
      reachable = element;
    });
    element.addEventListener("keydown", (event) => {
      const move = MOVES[event.key];
      if (!move || event.altKey || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      neighbour(rows, element, move)?.focus();
    });
  }
}

function neighbour(rows, element, [down, right]) {
  const index = rows.findIndex((row) => row.includes(element));
  const row = rows[index + down] ?? [];
  return row[Math.min(rows[index].indexOf(element), row.length - 1) + right];
}
