// From state to screen: the one place where everything is brought up to date.
let turn = 0;

async function apply() {
  const mine = ++turn;
  showTheme();
  showTabs();
  if (state.tab === "words") await showWords();
  const next = await viewOf();
  if (mine !== turn) return; // the state has changed meanwhile
  drawGrid(next);
  showControls();
  showStatus();
  reveal();
  await showPanel();
}

function showTabs() {
  for (const tab of document.querySelectorAll("[data-tab]")) {
    const on = tab.dataset.tab === state.tab;
    tab.setAttribute("aria-selected", on);
    document.getElementById(tab.dataset.tab).hidden = !on;
  }
}

let revealed = "";

// Brings a cell that was linked to into sight, once: its family unfolds.
function reveal() {
  if (state.cell === revealed) return;
  revealed = state.cell;
  const found = state.cell && locate(state.cell);
  if (!found) return;
  const family = core.cases.family[found.row];
  if (view.rows[family].includes(found.row) && folded(family)) {
    state.flip = flipped("flip", core.families[family]);
    drawGrid(view);
  }
  const item = items.indexOf(found.row);
  if (item >= 0) moveFocus(item, view.columns.indexOf(found.column), { align: item === focus.item ? "auto" : "center" });
}

document.querySelector("nav[role=tablist]").addEventListener("click", (event) => {
  if (event.target.dataset.tab) change({ tab: event.target.dataset.tab }, { entry: true });
});

addEventListener("popstate", () => {
  state = readState();
  apply();
});

document.getElementById("subtitle").textContent = core.title.replace(/^ptxproof: /, "");
if (matchMedia("(max-width: 800px)").matches) document.getElementById("filters").open = false;
drawControls();
state = readState();
await apply();
document.documentElement.dataset.ready = Math.round(performance.now());
json("detail"); // so that the first search or cell need not wait
