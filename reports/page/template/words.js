// The front summary: what the records show of one target, in words.
const words = document.getElementById("words");
const KINDS = {
  has: "What it has",
  lacks: "What it lacks",
  beyond: "What it alone has",
  realized: "Emulated, called, elided",
  disagrees: "Against the manual",
  unvalidated: "What hardware has shown",
  "not asked": "What was not asked",
  against: "Against each other target",
};

async function showWords() {
  const said = await json(`words-${core.toolchains.indexOf(state.toolchain)}`);
  const known = core.targets.filter((target) => said?.[target]);
  const statements = said?.[state.target];
  const pickers = select("target", "Target", known.map((name) => [name, name]))
    + select("toolchain", "Toolchain", core.toolchains.map((name) => [name, name]));
  const parts = Object.entries(KINDS).map(([kind, title]) => sentences(title, statements?.filter(([of]) => of === kind)));
  words.innerHTML = `<div class="pickers">${pickers}</div><h2>${escape(state.target)} by ${escape(state.toolchain)}</h2>`
    + (statements ? `<div class="said">${parts.join("")}</div>` : "<p>No record has this target with this toolchain.</p>")
    + recordsTable() + `<section><h3>Signs</h3>${legend()}</section>`;
  words.querySelector("[name=target]").value = state.target;
  words.querySelector("[name=toolchain]").value = state.toolchain;
}

function sentences(title, statements) {
  if (!statements?.length) return "";
  const lines = statements.map(([, text, filters]) => {
    const at = Object.keys(filters).length ? hashOf({ ...DEFAULTS, theme: state.theme, toolchain: state.toolchain,
      target: state.target, tab: "matrix", ...filters }) : "";
    return `<li>${escape(text)}${at ? ` <a href="${escape(at)}">show</a>` : ""}</li>`;
  });
  return `<section><h3>${title}</h3><ul>${lines.join("")}</ul></section>`;
}

function recordsTable() {
  const rows = core.records.map((record) => {
    const missing = record.not_asked.map(([stage, reason, cases]) => `<li>${plural(cases, "case")}, ${escape(stage)}: ${escape(reason)}</li>`);
    return `<tr><td>${escape(record.file)}</td><td>${escape(record.started ?? "")}</td><td>${escape(record.on)}</td>`
      + `<td>${number(record.cells)}</td><td>${record.complete ? "complete" : "<b>cut short</b>"}`
      + `${missing.length ? `<details><summary>not asked</summary><ul>${missing.join("")}</ul></details>` : ""}</td></tr>`;
  });
  return `<section><h3>Records behind this page</h3><div class="wide"><table><tr><th>record</th><th>begun</th><th>machine</th>`
    + `<th>cells</th><th></th></tr>${rows.join("")}</table></div><p class="quiet">Page made ${escape(core.made)}.</p></section>`;
}

const MEANINGS = {
  unaskable: "the kernel without the instruction was refused: nothing can be said",
  rejected: "the assembler refuses the instruction",
  assembled: "accepted; no such device was asked: no word about silicon",
  unloadable: "the driver refuses the code",
  faulted: "the launch ended in an error",
  hung: "the launch did not end",
  flaky: "it ran, and the same launch repeated gave other bits",
  wrong: "it ran, and a bit of the result is not what it must be",
  correct: "it ran, and every bit is right",
};

function legend() {
  const signs = core.words.map((word, at) => `<li><span class="c w-${word}"><span class="s">${core.signs[at]}</span></span> <b>${word}</b>: ${MEANINGS[word]}</li>`);
  return `<ul class="legend">${signs.join("")}
    <li><b>!</b> disagrees with the manual; <b>~</b> disagrees, and a waiver says why; no mark: agrees; a family's <b>≠2</b>: two did not come through on hardware</li>
    <li><b>N</b>ative: an opcode of its own; <b>E</b>mulated: other opcodes do it; <b>C</b>all: a routine of toolchain or driver; <b>∅</b> elided: no code</li>
    <li><b>✓</b> validated here; <b>°</b> validated on another target's hardware only; <b>○</b> ran, with no effect in memory; <b>·</b> unvalidated</li></ul>`;
}

words.addEventListener("change", (event) => change({ [event.target.name]: event.target.value }));
