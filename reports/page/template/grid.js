// The grid: a header, and of the rows only those in sight.
const grid = document.getElementById("grid");
const head = Object.assign(document.createElement("div"), { className: "row head" });
const body = Object.assign(document.createElement("div"), { className: "rows" });
head.setAttribute("role", "row");
body.setAttribute("role", "rowgroup");
grid.append(head, body);

let view = null, items = [], placed = new Map();
const focus = { item: 0, column: -1 }; // column -1: the case

const virtual = new VirtualCore.Virtualizer({
  count: 0,
  getScrollElement: () => grid,
  estimateSize: () => rowHeight(),
  overscan: 8,
  scrollToFn: VirtualCore.elementScroll,
  observeElementRect: VirtualCore.observeElementRect,
  observeElementOffset: VirtualCore.observeElementOffset,
  onChange: place,
});
virtual._didMount();

// Signs instead of words where asked for, and where words of so many columns would have to be scrolled through.
function small() {
  return state.size ? state.size === "small" : view?.columns.length > 12;
}

function rowHeight() {
  return small() ? 28 : 52;
}

function drawGrid(next) {
  view = next;
  items = itemsOf(view);
  focus.item = Math.max(0, Math.min(focus.item, items.length - 1));
  focus.column = Math.min(focus.column, view.columns.length - 1);
  grid.classList.toggle("small", small());
  grid.style.setProperty("--columns", view.columns.length);
  grid.setAttribute("aria-rowcount", items.length + 1);
  grid.setAttribute("aria-colcount", view.columns.length + 1);
  head.innerHTML = `<div role="columnheader" class="case">case</div>`
    + view.columns.map((column) => `<div role="columnheader" class="c" title="${escape(column.name)}">`
      + `<span>${escape(column.name.replace(/^ptxas /, ""))}</span></div>`).join("");
  placed.clear();
  body.replaceChildren();
  virtual.setOptions({ ...virtual.options, count: items.length, paddingStart: 0, scrollPaddingStart: 40 });
  virtual.measure();
  virtual._willUpdate();
  place();
}

function place() {
  if (!view) return;
  body.style.height = `${virtual.getTotalSize()}px`;
  const sight = virtual.getVirtualItems(), wanted = new Set(sight.map((one) => one.index));
  for (const [index, element] of placed) if (!wanted.has(index)) (element.remove(), placed.delete(index));
  const fresh = document.createDocumentFragment();
  for (const { index, start } of sight) {
    if (placed.has(index)) continue;
    const element = rowElement(index);
    element.style.top = `${start}px`;
    placed.set(index, element);
    fresh.append(element);
  }
  body.append(fresh);
  markFocus();
}

function rowElement(index) {
  const element = document.createElement("div"), item = items[index];
  element.setAttribute("role", "row");
  element.setAttribute("aria-rowindex", index + 2);
  element.dataset.index = index;
  element.className = item < 0 ? "row family" : "row";
  element.innerHTML = item < 0 ? familyLine(~item, index) : caseLine(item, index);
  return element;
}

function familyLine(family, index) {
  const rows = view.rows[family], open = !folded(family);
  const name = `<div role="rowheader" class="case" id="i${index}c-1" aria-expanded="${open}">`
    + `<b>${open ? "▾" : "▸"} ${escape(core.families[family])}</b> <small>${plural(rows.length, "case")}</small></div>`;
  return name + view.columns.map((column, at) => familyCell(column, at, rows, index)).join("");
}

// How many of a family's cases a column accepts, with a bar: full for those that ran right, hatched for the rest.
function familyCell(column, at, rows, index) {
  const { best } = column;
  const words = new Array(core.words.length).fill(0);
  let asked = 0, accepted = 0, odd = 0, failed = 0;
  for (const row of rows) {
    if (!best[row]) continue;
    const outcome = best[row] - 1;
    asked++;
    words[looks.word[outcome]]++;
    accepted += ACCEPTED[looks.word[outcome]] ? 1 : 0;
    failed += FAILED[looks.word[outcome]] ? 1 : 0;
    odd += core.agreements[looks.agreement[outcome]] === "disagrees" ? 1 : 0;
  }
  const told = core.words.map((word, w) => words[w] && `${words[w]} ${word}`).filter(Boolean);
  const all = told.join(", ") + (odd ? `, ${odd} disagree` : "") || "not asked";
  const right = 100 * words[CORRECT] / (asked || 1), taken = 100 * accepted / (asked || 1);
  return `<div role="gridcell" class="c sum" id="i${index}c${at}" aria-label="${escape(column.name)}: ${all}">`
    + (asked ? `<span class="n">${accepted === asked ? "all" : accepted || "none"}`
      + `<small>${accepted && accepted !== asked ? `/${asked}` : ""}</small>`
      + `${failed ? `<em class="bad">≠<small>${failed}</small></em>` : ""}${odd ? `<em class="bad">!<small>${odd}</small></em>` : ""}</span>`
      + `<span class="bar"><i style="width:${taken}%"></i><b style="width:${right}%"></b></span>` : "") + "</div>";
}

function caseLine(row, index) {
  const name = core.cases.name[row], opcode = core.cases.opcode[row];
  const first = `<div role="rowheader" class="case" id="i${index}c-1" title="${escape(`${caseName(row)}\n${opcode}`)}">`
    + `<span class="op">${marked(opcode)}</span><span class="id">${marked(name)}</span></div>`;
  return first + view.columns.map((column, at) => cellHtml(column, row, at, index)).join("");
}

function cellHtml({ best, name }, row, at, index) {
  const id = `i${index}c${at}`;
  if (!best[row]) return `<div role="gridcell" class="c none" id="${id}" aria-label="${escape(name)}: not asked"></div>`;
  const outcome = best[row] - 1, sees = saysOf(row, outcome);
  const dim = view.filtered && !view.matches(row, outcome) ? " dim" : "";
  return `<div role="gridcell" class="c w-${sees.word} a-${sees.agreement}${dim}" id="${id}"`
    + ` aria-label="${escape(`${name}: ${sees.whole}`)}">${small() ? sees.signs : sees.html}</div>`;
}

const LETTERS = { native: "N", emulated: "E", call: "C", elided: "∅" };

// What a cell says: its words, and the HTML of both sizes.
function saysOf(row, outcome) {
  const word = core.words[looks.word[outcome]], kind = core.realizations[looks.realization[outcome] - 1] ?? "";
  const agreement = core.agreements[looks.agreement[outcome]], [sign, short, long] = validation(row, outcome);
  const mark = { agrees: "", disagrees: "!", waived: "~" }[agreement];
  const whole = [word, kind, agreement === "agrees" ? "agrees with the manual" : agreement, long].filter(Boolean).join(", ");
  const middle = [agreement === "agrees" ? "" : agreement, kind].filter(Boolean).join(" ");
  const first = `<span class="s">${core.signs[looks.word[outcome]]}<em>${mark}</em></span>`;
  const html = `${first}<span class="w">${word}</span><span class="r">${middle}</span><span class="r">${sign} ${short}</span>`;
  return { word, kind, agreement, whole, html, signs: `${first}<span class="k">${LETTERS[kind] ?? ""}${sign}</span>` };
}

function marked(text) {
  const terms = termsOf(state.q).map((term) => term.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (!terms.length) return escape(text);
  return text.split(new RegExp(`(${terms.join("|")})`, "gi"))
    .map((part, at) => (at % 2 ? `<mark>${escape(part)}</mark>` : escape(part))).join("");
}

function markFocus() {
  for (const old of grid.querySelectorAll(".here")) old.classList.remove("here");
  const cell = document.getElementById(`i${focus.item}c${focus.column}`);
  cell?.classList.add("here");
  if (cell) grid.setAttribute("aria-activedescendant", cell.id);
  else grid.removeAttribute("aria-activedescendant");
}

function moveFocus(item, column, { align = "auto" } = {}) {
  focus.item = Math.max(0, Math.min(item, items.length - 1));
  focus.column = Math.max(-1, Math.min(column, view.columns.length - 1));
  virtual.scrollToIndex(focus.item, { align });
  markFocus();
  const cell = head.children[focus.column + 1], fixed = head.firstElementChild.offsetWidth;
  if (focus.column < 0) return;
  const left = cell.offsetLeft - fixed, right = cell.offsetLeft + cell.offsetWidth - grid.clientWidth;
  if (grid.scrollLeft > left) grid.scrollLeft = left;
  else if (grid.scrollLeft < right) grid.scrollLeft = right;
}

// What a cell says as a whole, for the mouse; written where it points, not into every cell.
grid.addEventListener("mouseover", (event) => {
  const cell = event.target.closest("[role=gridcell]");
  if (cell) cell.title = cell.ariaLabel;
});

grid.addEventListener("click", (event) => {
  const cell = event.target.closest("[id^=i]"), line = event.target.closest(".rows > .row");
  if (!cell || !line) return;
  const column = [...line.children].indexOf(cell) - 1;
  moveFocus(Number(line.dataset.index), column);
  act();
});

// Folds a family; opens a cell's evidence, of a case that of its first column.
function act() {
  const item = items[focus.item];
  if (item === undefined) return;
  if (item < 0) change({ flip: flipped("flip", core.families[~item]) });
  else change({ cell: `${caseName(item)}@${view.columns[Math.max(0, focus.column)].name}` }, { entry: !state.cell });
}
