// The evidence of one cell.
const panel = document.getElementById("panel");
let drawn = 0;

async function showPanel() {
  const turn = ++drawn, found = state.cell && state.tab === "matrix" ? locate(state.cell) : null;
  document.getElementById("stage").classList.toggle("split", Boolean(found));
  if (!found) {
    panel.hidden = true;
    panel.replaceChildren();
    return;
  }
  const html = await evidence(found);
  if (turn !== drawn) return; // another cell was opened meanwhile
  panel.innerHTML = html;
  panel.hidden = false;
  panel.scrollTop = 0;
  for (const listing of panel.querySelectorAll(".listing")) showMarked(listing);
}

// Brings what is marked in a listing into its sight.
function showMarked(listing) {
  const line = listing.querySelector(".m2");
  if (line) listing.scrollTop = line.offsetTop - listing.offsetTop - listing.clientHeight / 2;
}

// The case's number and the column of CASE@COLUMN, null where the page has no such cell.
function locate(name) {
  const at = name.lastIndexOf("@"), wanted = name.slice(0, at);
  const row = core.cases.name.findIndex((_, place) => caseName(place) === wanted);
  const column = view.columns.find((one) => one.name === name.slice(at + 1));
  return row >= 0 && column ? { row, column } : null;
}

async function evidence({ row, column }) {
  const family = core.cases.family[row], place = column.from[row];
  const title = `<header><h2>${escape(caseName(row))}</h2>`
    + `<button type="button" data-close="1" aria-label="Close (Esc)">✕</button></header>`;
  if (!column.best[row]) return `${title}<p>No record asked this case: ${escape(column.name)}.</p>${elsewhere(row, column)}`;
  const [target, toolchain, machine, group] = core.columns[place], outcome = column.best[row] - 1;
  const [detail, claims, gpu, kernels, sass] = await Promise.all([
    json("detail"), json("claims"), json(`gpu-${group}`), json(`ptx-${family}`), json(`sass-${place}-${family}`)]);
  const cell = { row, outcome, place, target, toolchain, machine, detail, claims, gpu, family };
  return [title, verdict(cell), elsewhere(row, column), claimed(cell), assembler(cell), realizing(cell, sass),
    hardware(cell), source(cell, kernels), origin(cell), repeat(cell)].join("");
}

function part(title, html) {
  return `<section><h3>${title}</h3>${html}</section>`;
}

function facts(rows) {
  const lines = rows.filter(([, value]) => value !== "" && value !== undefined && value !== null)
    .map(([name, value]) => `<dt>${escape(name)}</dt><dd>${value}</dd>`);
  return `<dl>${lines.join("")}</dl>`;
}

function verdict({ row, outcome, target, detail, claims }) {
  const says = saysOf(row, outcome);
  const [, , proof] = validation(row, outcome), waiver = detail.texts[detail.waiver[outcome]];
  return `<div class="verdict c w-${says.word} a-${says.agreement}"><span class="s">${core.signs[looks.word[outcome]]}</span>`
    + `<strong>${says.word}${says.kind ? `, ${says.kind}` : ""}</strong> on ${target}; `
    + `${says.agreement === "agrees" ? "agrees with the manual" : `<strong>${says.agreement}</strong>`}; ${escape(proof)}.`
    + `${waiver ? `<p>Waiver: ${escape(waiver)}</p>` : ""}</div>`
    + `<p class="code"><code>${marked(claims.instruction[row] || core.cases.opcode[row])}</code></p>`;
}

// The same case in the other columns.
function elsewhere(row, column) {
  const cells = view.columns.map((other) => {
    if (!other.best[row]) return "";
    const says = saysOf(row, other.best[row] - 1), link = hashOf({ ...state, cell: `${caseName(row)}@${other.name}` });
    return `<a href="${escape(link)}" class="chip c w-${says.word} a-${says.agreement}"${other === column ? ' aria-current="true"' : ""}`
      + ` title="${escape(says.whole)}"><span class="s">${core.signs[looks.word[other.best[row] - 1]]}</span>${escape(other.name)}</a>`;
  });
  return `<nav class="chips" aria-label="The same case in the other columns">${cells.join("")}</nav>`;
}

function claimed({ row, target, claims, detail, outcome }) {
  const claim = claims.claims[claims.claim[row]];
  if (!claim) return part("Claim", "<p>The catalogue that made this page does not have this case any more.</p>");
  const since = claim.minimum[target];
  const ranges = Object.entries(Object.groupBy?.(Object.keys(claim.minimum), (name) => claim.minimum[name])
    ?? { "": Object.keys(claim.minimum) });
  ranges.sort(([one], [other]) => one.localeCompare(other, "en", { numeric: true }));
  const where = ranges.map(([ptx, names]) => `${ptx ? `from PTX ${ptx}: ` : ""}${names.join(", ")}`).join("<br>");
  return part("Claim of the manual", facts([
    ["section", escape(claim.section)],
    ["here", since ? `${target} has it from PTX ${since}` : `${target} is not among the targets that have it`],
    ["asked at", `.version ${escape(detail.texts[detail.ptx[outcome]])}`],
    ["everywhere", where],
  ]));
}

function assembler({ outcome, toolchain, detail }) {
  const said = detail.diagnostics[outcome].map((one) => detail.said[one]).map(([kind, severity, text, line]) =>
    `<li class="d-${severity}"><b>${escape(severity)}</b> <small>${escape(kind)}</small>`
    + `${line === null ? "" : ` <small>line ${line + 1 + HEADER}</small>`}<pre>${marked(text)}</pre></li>`);
  return part(`Assembler: ${escape(toolchain)}`, said.length ? `<ul class="said">${said.join("")}</ul>` : "<p>It said nothing.</p>");
}

function realizing({ outcome, detail, row, target, toolchain }, sass) {
  const text = detail.opcode_texts[detail.opcodes[outcome]];
  const rows = text ? text.split(" ").map((one) => one.split("×")) : [];
  const table = rows.map(([count, name]) => `<tr><td>${count}</td><td><code>${marked(name)}</code></td></tr>`).join("");
  const kind = core.realizations[looks.realization[outcome] - 1];
  const opcodes = kind
    ? `<p>${kind}: what the kernel's machine code has and the same kernel without the instruction has not.</p>`
      + `<table class="ops">${table || "<tr><td>nothing</td></tr>"}</table>`
    : "<p>There is no machine code to read.</p>";
  const lines = sass?.[row]?.map((line) => `<span class="m${{ "*": 2, ">": 1 }[line[0]] ?? 0}">${escape(line)}</span>`);
  const listing = lines
    ? `<p>* realizes the instruction, &gt; is not in the kernel without it either</p><pre class="listing">${lines.join("\n")}</pre>`
    : kind ? `<p>The whole listing: ${command(showCommand({ row, target, toolchain }))}</p>` : "";
  return part("SASS", opcodes + listing);
}

function hardware({ row, outcome, place, gpu, detail, machine }) {
  const at = core.columns[place][4], launch = gpu.launches[at][row], reason = detail.texts[detail.reason[outcome]];
  const unasked = reason ? `<p>Not asked (${escape(detail.texts[detail.stage[outcome]])}): ${escape(reason)}.</p>` : "";
  const seen = detail.texts[detail.observed[outcome]];
  const how = seen ? `<p>No memory shows this instruction's effect; it is seen in its ${escape(seen)}.</p>` : "";
  if (!launch) return part("Hardware", unasked + how || "<p>It did not come so far.</p>");
  const [seconds, said] = launch;
  return part(`Hardware: ${escape(machine)}`, how + facts([
    ["launches", `${(1000 * seconds).toPrecision(3)} ms, with two poisons`],
    ...Object.entries(gpu.said[said]).map(([name, value]) => [name, plain(value)]),
  ]) + unasked);
}

// Any value of a record, readable: objects as lists of facts, the rest as text.
function plain(value) {
  if (value === null || typeof value !== "object") return escape(typeof value === "number" ? number(value) : value);
  if (Array.isArray(value) && value.every((one) => one === null || typeof one !== "object")) return escape(value.join(", "));
  return facts(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

const HEADER = 3; // lines before the kernel: .version, .target, .address_size

function source({ row, outcome, target, detail, family }, kernels) {
  const [text, instruction] = kernels[row] ?? [];
  if (!text || looks.stale[outcome]) {
    return part("PTX", "<p>Asked with another version of this kernel than the catalogue that made this page has.</p>");
  }
  const ptx = detail.texts[detail.ptx[outcome]];
  const lines = [`.version ${ptx}`, `.target ${target}`, ".address_size 64", ...text.trimEnd().split("\n")];
  const told = new Set(detail.diagnostics[outcome].map((one) => detail.said[one][3]));
  const html = lines.map((line, at) => {
    const kernelLine = at - HEADER;
    const kind = instruction.includes(kernelLine) ? " m2" : told.has(kernelLine) ? " m1" : "";
    return `<span class="l${kind}"><i>${at + 1}</i>${kind === " m2" ? marked(line) : escape(line)}</span>`;
  });
  const name = escape(core.families[family]);
  return part("PTX", `<p>The instruction in question is marked; template and operands: family <code>${name}</code>.</p>`
    + `<pre class="listing numbered">${html.join("\n")}</pre>`);
}

function origin({ row, place, gpu, machine, toolchain, target }) {
  const at = core.columns[place][4], of = gpu.records[at], record = core.records[Array.isArray(of) ? of[row] : of];
  const host = record.machine ?? {}, gpuFacts = record.gpu;
  return part("Where and when", facts([
    ["record", escape(record.file)],
    ["begun", escape(record.started ?? "")],
    ["machine", escape(machine)],
    ["host", escape([host.system, host.arch, host.python && `Python ${host.python}`].filter(Boolean).join(", "))],
    ["GPU", gpuFacts ? escape(`${gpuFacts.name}, compute capability ${gpuFacts.capability}`) : ""],
    ["driver", gpuFacts ? escape(`${gpuFacts.driver}, CUDA ${gpuFacts.cuda}`) : ""],
    ["toolchain", escape(toolchain)],
    ["target", escape(target)],
    ["catalogue", escape(record.catalogue ?? "")],
  ]));
}

function showCommand({ row, target, toolchain }) {
  return `python -m suite show '${caseName(row)}@${target}' --toolchain '${toolchain}'`;
}

function repeat(cell) {
  const run = `python -m suite run --arch ${cell.target} --case '${caseName(cell.row)}' --toolchain '${cell.toolchain}'`;
  return part("Repeat it", `<p>All the evidence, made anew:</p>${command(showCommand(cell))}`
    + `<p>The cell as a record, launched where a GPU runs ${escape(cell.target)}:</p>${command(run)}`
    + `<p><a href="${escape(hashOf(state))}">Link to this cell</a></p>`);
}

function command(text) {
  return `<span class="command"><code>${escape(text)}</code><button type="button" data-copy="1">copy</button></span>`;
}

panel.addEventListener("click", async (event) => {
  if (event.target.dataset.close) closePanel();
  if (!event.target.dataset.copy) return;
  const code = event.target.previousElementSibling;
  getSelection().selectAllChildren(code); // where no clipboard may be written, the text is selected at least
  await navigator.clipboard?.writeText(code.textContent).then(() => (event.target.textContent = "copied"), () => {});
});

function closePanel() {
  change({ cell: "" });
  grid.focus();
}
