// Keyboard, help and print.
const help = document.getElementById("help");
const KEYS = [
  ["← ↑ ↓ →", "move; Page Up, Page Down, Home, End too"],
  ["Enter", "open the evidence of a cell; fold or unfold a family"],
  ["Esc", "close the evidence; leave the search"],
  ["/", "search"],
  ["d", "to the next cell that disagrees"],
  ["f", "fold or unfold all families"],
  ["m, w", "matrix, words"],
  ["?", "this help"],
];

function showHelp() {
  const rows = KEYS.map(([key, what]) => `<tr><td><kbd>${key}</kbd></td><td>${what}</td></tr>`);
  help.innerHTML = `<form method="dialog"><h2>Keys</h2><table>${rows.join("")}</table><h2>Signs</h2>${legend()}`
    + "<button autofocus>Close</button></form>";
  help.showModal();
}

const page = () => Math.max(1, Math.floor(grid.clientHeight / rowHeight()) - 2);
const MOVES = {
  ArrowUp: () => [focus.item - 1, focus.column],
  ArrowDown: () => [focus.item + 1, focus.column],
  ArrowLeft: () => [focus.item, focus.column - 1],
  ArrowRight: () => [focus.item, focus.column + 1],
  PageUp: () => [focus.item - page(), focus.column],
  PageDown: () => [focus.item + page(), focus.column],
  Home: () => [0, focus.column],
  End: () => [items.length - 1, focus.column],
};

grid.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (MOVES[event.key]) {
    moveFocus(...MOVES[event.key]());
    if (state.cell && items[focus.item] >= 0) act();
  } else if (event.key === "Enter" || event.key === " ") act();
  else return;
  event.preventDefault();
});

// The next case with a cell that disagrees, in a folded family too.
function nextDisagreement() {
  const odd = core.agreements.indexOf("disagrees"), rows = view.rows.flat(), here = items[focus.item];
  const start = here === undefined ? 0 : rows.indexOf(here < 0 ? view.rows[~here][0] : here) + (here < 0 ? 0 : 1);
  for (const row of [...rows.slice(start), ...rows.slice(0, start)]) {
    const column = view.columns.findIndex(({ best }) => best[row] && looks.agreement[best[row] - 1] === odd);
    if (column < 0) continue;
    return change({ cell: `${caseName(row)}@${view.columns[column].name}` });
  }
  return null;
}

const ACTS = {
  "/": () => search.focus(),
  "?": showHelp,
  d: nextDisagreement,
  f: () => bar.querySelector("[data-fold]").click(),
  m: () => change({ tab: "matrix" }, { entry: true }),
  w: () => change({ tab: "words" }, { entry: true }),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    if (document.activeElement === search) search.blur();
    else if (state.cell && !help.open) closePanel();
    return;
  }
  if (event.target.closest("input, select, dialog") || event.ctrlKey || event.altKey || event.metaKey) return;
  if (!ACTS[event.key]) return;
  event.preventDefault();
  ACTS[event.key]();
});

document.getElementById("keys").addEventListener("click", showHelp);

// Paper cannot scroll: the rows shown stand there as a table, as many as one would want to hold.
const ON_PAPER = 2000;

function printTable() {
  const shown = view.rows.flat().slice(0, ON_PAPER), left = view.count - shown.length;
  const headings = view.columns.map((column) => `<th>${escape(column.name)}</th>`).join("");
  const lines = shown.map((row) => `<tr><th>${escape(caseName(row))}</th>${view.columns.map(({ best }) =>
    `<td>${best[row] ? saysOf(row, best[row] - 1)[view.columns.length > 6 ? "signs" : "html"] : ""}</td>`).join("")}</tr>`);
  return `<h2>${escape(document.getElementById("status").textContent)}</h2><table><thead><tr><th>case</th>${headings}</tr></thead>`
    + `<tbody>${lines.join("")}</tbody></table>${left > 0 ? `<p>… and ${plural(left, "case")} more: filter, and print again.</p>` : ""}${legend()}`;
}

addEventListener("beforeprint", () => {
  const paper = document.getElementById("print");
  paper.innerHTML = state.tab === "matrix" && !state.cell ? printTable() : "";
  paper.hidden = false;
});
addEventListener("afterprint", () => {
  document.getElementById("print").replaceChildren();
  document.getElementById("print").hidden = true;
});
