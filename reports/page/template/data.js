// Blocks of the page: unpacked when first asked for, then kept.
const kept = new Map();

function bytesOf(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const raw = atob(text), bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

async function unpack(name) {
  const element = document.getElementById(`block-${name}`);
  if (!element) return null;
  const stream = new Blob([bytesOf(element.textContent)]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

// Resolves to the block's bytes, null where the page has no such block.
function block(name) {
  if (!kept.has(name)) kept.set(name, unpack(name));
  return kept.get(name);
}

function json(name) {
  const key = `json ${name}`;
  if (!kept.has(key)) {
    kept.set(key, block(name).then((bytes) => bytes && JSON.parse(new TextDecoder().decode(bytes))));
  }
  return kept.get(key);
}

// A group's outcome numbers (+ 1; 0: never asked), a row a case; little-endian, as every browser's machine is.
async function cellsOf(group) {
  const bytes = await block(`cells-${group}`);
  const count = core.groups[group] * core.cases.name.length;
  return bytes.byteLength === 2 * count ? new Uint16Array(bytes) : new Uint32Array(bytes);
}

const core = await json("core");
const looks = core.outcomes;
const CORRECT = core.words.indexOf("correct");
const FAILED = core.words.map((word) => core.failed.includes(word));
const ACCEPTED = core.words.map((word) => word !== "rejected" && word !== "unaskable");

function caseName(row) {
  return `${core.families[core.cases.family[row]]}.${core.cases.name[row]}`;
}

function escape(text) {
  return String(text).replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

function number(count) {
  return count.toLocaleString("en");
}

function plural(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}
