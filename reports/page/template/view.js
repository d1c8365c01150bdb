// What the grid shows: columns from the axis, rows from the filters.
const folds = { usual: true };

// Columns of the view: one a target, toolchain or machine, each of one or more columns of the data.
// A comparison of two sets of records is two columns and the filter `differs`.
async function columnsOf() {
  const at = { target: 0, toolchain: 1, machine: 2 };
  const fixed = Object.keys(at).filter((name) => name !== state.axis && (name !== "machine" || state.machine));
  const chosen = core.columns.map((column, place) => [column, place])
    .filter(([column]) => fixed.every((name) => column[at[name]] === state[name]));
  const order = { target: core.targets, toolchain: byAge(core.toolchains), machine: core.machines.map((m) => m.name) };
  const wanted = state.axis === "machine" ? [] : list(`${state.axis}s`);
  const names = order[state.axis].filter((name) => !wanted.length || wanted.includes(name));
  const found = names.map((name) => [name, chosen.filter(([column]) => column[at[state.axis]] === name)]);
  return Promise.all(found.filter(([, sources]) => sources.length).map(([name, sources]) => columnOf(name, sources)));
}

function byAge(names) {
  return [...names].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

async function columnOf(name, sources) {
  const rows = core.cases.name.length, best = new Uint32Array(rows), from = new Uint16Array(rows);
  for (const [[, , , group, at], place] of sources) {
    const cells = await cellsOf(group), width = core.groups[group];
    for (let row = 0; row < rows; row++) {
      const cell = cells[row * width + at];
      if (cell && (!best[row] || looks.rank[cell - 1] > looks.rank[best[row] - 1])) {
        best[row] = cell;
        from[row] = place;
      }
    }
  }
  return { name, best, from };
}

// Where a cell is validated: [sign, short text, whole sentence].
function validation(row, outcome) {
  const word = looks.word[outcome], proof = core.proofs[core.cases.proof[row]];
  if (!ACCEPTED[word]) return ["", "", "nothing to validate"];
  if (word === CORRECT && looks.unseen[outcome]) return ["○", "ran", "ran here, but no memory shows its effect"];
  if (word === CORRECT) return ["✓", "here", "validated here"];
  if (core.words[word] !== "assembled") return ["", "", `${core.words[word]} here`];
  if (looks.stale[outcome]) return ["·", "old kernel", "asked with an older kernel of this case"];
  if (proof.length) return ["°", proof.length > 1 ? `on ${proof.length} targets` : `on ${proof[0]}`, `validated on ${proof.join(", ")} only`];
  return ["·", "unvalidated", "unvalidated: no hardware has shown it"];
}

const PROOFS = ["validated here", "validated elsewhere", "unvalidated"];

// Which of these an accepted cell is.
function proofOf(row, outcome) {
  if (!ACCEPTED[looks.word[outcome]]) return "";
  if (looks.word[outcome] === CORRECT && !looks.unseen[outcome]) return PROOFS[0];
  return core.proofs[core.cases.proof[row]].length && !looks.stale[outcome] ? PROOFS[1] : PROOFS[2];
}

// Tells of each outcome whether word, realization and agreement are among those chosen.
function outcomeFilter() {
  const words = list("words"), kinds = list("realizations"), agreements = list("agreements");
  const chosen = (names, all, index) => !names.length || names.includes(all[index]);
  return Uint8Array.from(looks.word, (word, outcome) => Number(
    chosen(words, core.words, word) && chosen(agreements, core.agreements, looks.agreement[outcome])
    && (!kinds.length || kinds.includes(core.realizations[looks.realization[outcome] - 1])),
  ));
}

let haystack = null;

function termsOf(text) {
  return (text.match(/"[^"]+"|[^\s"]+/g) ?? []).map((term) => term.replaceAll('"', ""));
}

// Each term, or phrase in quotes, must be in the case's name or PTX opcode, or in what a cell shown has of SASS opcodes,
// diagnostics, waiver and reason for not having been asked.
async function searcher(columns) {
  const terms = termsOf(state.q.toLowerCase());
  if (!terms.length) return null;
  haystack ??= core.cases.opcode.map((opcode, row) => `${caseName(row)} ${opcode}`.toLowerCase());
  const detail = await json("detail");
  const inOutcome = terms.map((term) => {
    const codes = detail.opcode_texts.map((text) => text.toLowerCase().includes(term));
    const said = detail.said.map((entry) => entry[2].toLowerCase().includes(term));
    const texts = detail.texts.map((text) => text.toLowerCase().includes(term));
    return detail.opcodes.map((code, outcome) => codes[code] || texts[detail.waiver[outcome]] || texts[detail.reason[outcome]]
      || detail.diagnostics[outcome].some((one) => said[one]));
  });
  return (row) => terms.every((term, at) => haystack[row].includes(term)
    || columns.some(({ best }) => best[row] && inOutcome[at][best[row] - 1]));
}

function differ(columns, row) {
  const look = ({ best }) => best[row] && `${looks.word[best[row] - 1]} ${looks.realization[best[row] - 1]}`;
  return columns.some((column) => look(column) !== look(columns[0]));
}

// Rows by family, after all filters. `matches(row, outcome)` tells cells that meet the filters from their neighbours.
async function viewOf() {
  const columns = await columnsOf(), passes = outcomeFilter(), found = await searcher(columns);
  const only = new Set(list("families").map((name) => core.families.indexOf(name)));
  const filtered = Boolean(state.words || state.realizations || state.agreements || state.proof), proofs = list("proof");
  const matches = (row, outcome) => passes[outcome] === 1 && (!proofs.length || proofs.includes(proofOf(row, outcome)));
  const rows = core.families.map(() => []);
  let count = 0;
  for (let row = 0; row < core.cases.name.length; row++) {
    const family = core.cases.family[row];
    if (only.size && !only.has(family)) continue;
    if (found && !found(row)) continue;
    if (state.differs && !differ(columns, row)) continue;
    if (!columns.some(({ best }) => best[row] && matches(row, best[row] - 1))) continue;
    rows[family].push(row);
    count++;
  }
  folds.usual = count > 400;
  return { columns, rows, count, filtered, matches };
}

function folded(family) {
  return folds.usual !== list("flip").includes(core.families[family]);
}

// What stands in the grid, top to bottom: ~family for a family's line, else a case's number.
function itemsOf(view) {
  const items = [];
  view.rows.forEach((rows, family) => {
    if (!rows.length) return;
    items.push(~family);
    if (!folded(family)) for (const row of rows) items.push(row);
  });
  return items;
}
