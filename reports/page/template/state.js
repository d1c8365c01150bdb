// The page's state is its address: every field that differs from its default stands in the hash.
const DEFAULTS = {
  tab: "words",
  axis: "target", // what columns are: target, toolchain or machine
  toolchain: core.toolchains[0],
  target: firstTarget(),
  machine: "", // all: of each cell, what stands before the others
  families: "",
  targets: "",
  toolchains: "",
  words: "",
  realizations: "",
  agreements: "",
  proof: "",
  differs: "",
  q: "",
  flip: "", // families whose fold is not the usual one
  size: "", // "small": signs; "words": words; else as the number of columns has it
  cell: "", // CASE@COLUMN whose evidence is open
  theme: "",
};
let state = { ...DEFAULTS };

// The target that most was asked of on hardware, else the last: the newest chip.
function firstTarget() {
  const ran = new Map();
  for (const column of core.columns) {
    if (core.machines.some((machine) => machine.name === column[2] && machine.gpu)) {
      ran.set(column[0], (ran.get(column[0]) ?? 0) + 1);
    }
  }
  const most = [...ran].sort((a, b) => b[1] - a[1])[0];
  return most ? most[0] : core.targets[core.targets.length - 1];
}

function readState() {
  const found = { ...DEFAULTS };
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) if (name in DEFAULTS) found[name] = value;
  return found;
}

function hashOf(some) {
  const pairs = Object.entries(some).filter(([name, value]) => value !== DEFAULTS[name]);
  return `#${new URLSearchParams(pairs)}`;
}

// A change that one would go back from gets an entry of its own in the history.
function change(changes, { entry = false } = {}) {
  state = { ...state, ...changes };
  if (hashOf(state) !== location.hash) {
    history[entry ? "pushState" : "replaceState"](null, "", hashOf(state) === "#" ? location.pathname : hashOf(state));
  }
  return apply();
}

function list(name) {
  return state[name] ? state[name].split(",") : [];
}

function flipped(name, value) {
  const now = list(name);
  return (now.includes(value) ? now.filter((other) => other !== value) : [...now, value]).join(",");
}
