// The bar above the grid: what columns are, filters, and how many cases are left.
const bar = document.getElementById("bar");
const AXES = { target: "targets", toolchain: "toolchains", machine: "machines" };
const MENUS = [
  ["families", "Family", () => core.families],
  ["targets", "Target", () => core.targets],
  ["words", "Word", () => core.words],
  ["realizations", "Realization", () => core.realizations],
  ["agreements", "Manual", () => core.agreements],
  ["proof", "Validation", () => PROOFS],
];
const TOGGLES = [
  ["differs", "Differs", "1", "Cases whose columns are not all alike"],
];

function select(name, label, options) {
  const rows = options.map(([value, text]) => `<option value="${escape(value)}">${escape(text)}</option>`);
  return `<label class="pick" data-pick="${name}">${label} <select name="${name}">${rows.join("")}</select></label>`;
}

function menu([name, label, values]) {
  const boxes = values().map((value) => `<label><input type="checkbox" name="${name}" value="${escape(value)}">`
    + `${name === "words" ? `<i>${core.signs[core.words.indexOf(value)]}</i> ` : ""}${escape(value)}</label>`);
  return `<details class="menu" data-menu="${name}"><summary>${label}</summary><div>${boxes.join("")}`
    + `<button type="button" data-clear="${name}">any</button></div></details>`;
}

function drawControls() {
  const all = (names) => names.map((name) => [name, name]);
  bar.innerHTML = select("axis", "Columns", Object.entries(AXES))
    + select("target", "of target", all(core.targets))
    + select("toolchain", "by toolchain", all(core.toolchains))
    + select("machine", "on machine", [["", "any"], ...all(core.machines.map((machine) => machine.name))])
    + MENUS.map(menu).join("")
    + TOGGLES.map(([name, label, , title]) => `<button type="button" class="toggle" data-toggle="${name}"`
      + ` title="${title}">${label}</button>`).join("")
    + `<button type="button" class="toggle" data-size="1" title="Signs instead of words">Signs</button>`
    + `<button type="button" data-fold="1">Unfold all</button><button type="button" data-reset="1">Reset</button>`;
}

// Brings every control to the state.
function showControls() {
  for (const [name] of Object.entries(AXES)) {
    const hidden = name === state.axis || (name === "machine" && core.machines.length < 2);
    bar.querySelector(`[data-pick=${name}]`).hidden = hidden;
  }
  for (const element of bar.querySelectorAll("select")) element.value = state[element.name];
  for (const element of bar.querySelectorAll("input")) element.checked = list(element.name).includes(element.value);
  for (const [name, label] of MENUS) {
    const count = list(name).length, summary = bar.querySelector(`[data-menu=${name}] summary`);
    summary.textContent = count ? `${label}: ${count > 1 ? count : list(name)[0]}` : label;
    summary.classList.toggle("on", count > 0);
  }
  bar.querySelector("[data-size]").setAttribute("aria-pressed", small());
  bar.querySelector("[data-menu=targets]").hidden = state.axis !== "target";
  for (const element of bar.querySelectorAll("[data-toggle]")) {
    element.setAttribute("aria-pressed", Boolean(state[element.dataset.toggle]));
  }
  const search = document.getElementById("q");
  if (document.activeElement !== search) search.value = state.q;
}

function showStatus() {
  const all = core.cases.name.length, shown = view.count;
  const of = shown === all ? plural(all, "case") : `${number(shown)} of ${plural(all, "case")}`;
  const fixed = Object.keys(AXES).filter((name) => name !== state.axis && state[name]).map((name) => state[name]);
  document.getElementById("status").textContent = view.columns.length
    ? `${of} × ${plural(view.columns.length, AXES[state.axis].slice(0, -1))} (${fixed.join(", ")})`
    : `No record has ${fixed.join(" with ")}.`;
  const open = items.some((item) => item >= 0);
  bar.querySelector("[data-fold]").textContent = open ? "Fold all" : "Unfold all";
  bar.querySelector("[data-fold]").dataset.fold = open ? "close" : "open";
}

bar.addEventListener("change", (event) => {
  const { name, type, value } = event.target;
  change({ [name]: type === "checkbox" ? flipped(name, value) : value });
});

bar.addEventListener("click", (event) => {
  const { clear, toggle, size, fold, reset } = event.target.dataset;
  if (clear) change({ [clear]: "" });
  if (toggle) change({ [toggle]: state[toggle] ? "" : TOGGLES.find(([name]) => name === toggle)[2] });
  if (size) change({ size: small() ? "words" : "small" });
  if (fold) change({ flip: (fold === "open") === folds.usual ? core.families.join(",") : "" });
  if (reset) change({ ...DEFAULTS, tab: "matrix", theme: state.theme });
});

// A menu closes when the next thing is touched.
document.addEventListener("pointerdown", (event) => {
  for (const open of bar.querySelectorAll(".menu[open]")) if (!open.contains(event.target)) open.open = false;
});

const search = document.getElementById("q");
let typing = 0;
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => change({ q: search.value.trim(), tab: "matrix" }), 120);
});

const THEMES = { "": ["◐", "as the system"], light: ["☀", "light"], dark: ["☾", "dark"] };

document.getElementById("theme").addEventListener("click", () => {
  const names = Object.keys(THEMES);
  change({ theme: names[(names.indexOf(state.theme) + 1) % names.length] });
});

function showTheme() {
  const [sign, name] = THEMES[state.theme] ?? THEMES[""];
  document.documentElement.dataset.theme = state.theme;
  document.getElementById("theme").innerHTML = `${sign}<span class="quiet"> ${name}</span>`;
  document.getElementById("theme").setAttribute("aria-label", `Colours: ${name}`);
}
