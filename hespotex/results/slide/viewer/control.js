"use strict";

// What the user does: choose, move, zoom, read a value.

const GROUPS = {
  "gene that was asked for": "genes that were asked for",
  programme: "programmes of the model",
  "gene set": "gene sets",
  spot: "values of each spot",
  gene: "genes, the best predicted first",
};
const ZOOM_STEP = 1.4;
const MOVE_STEP = 60; // CSS px an arrow key moves
const REACH = 10; // CSS px around a small spot in which it is found

// ---- choosing

function choose(index) {
  const feature = data.features[index];
  const layers = element("layer");
  layers.replaceChildren(...feature.layers.map((layer, number) => new Option(layer.name, number)));
  layers.hidden = feature.layers.length < 2;
  element("shown").textContent = feature.name;
  element("evidence").textContent = feature.evidence;
  element("evidence").className = feature.state.replaceAll(" ", "-");
  element("because").textContent = feature.because ?? "";
  element("because").hidden = !feature.because;
  const same = feature.layers.findIndex((layer) => layer.name === shown.layer?.name);
  layers.selectedIndex = Math.max(0, same);
  tell(feature);
  show(feature, layers.selectedIndex);
}

/** Colour the spots by a layer of a feature: the prediction, or how sure it is. */
function show(feature, number) {
  const layer = feature.layers[number];
  const levels = bytes(layer.levels);
  const order = Uint32Array.from(levels.keys()).sort((a, b) => levels[a] - levels[b]);
  shown = { feature, layer, levels, order };
  element("unit").textContent = layer.unit;
  element("low").textContent = (layer.low > layer.min ? "≤ " : "") + format(layer.low);
  element("moran").textContent = layer.moran === null ? "" : `Moran's I ${layer.moran.toFixed(2)}`;
  element("high").textContent = (layer.high < layer.max ? "≥ " : "") + format(layer.high);
  mix();
}

function list(words) {
  const group = (label) => Object.assign(document.createElement("optgroup"), { label });
  const groups = Object.fromEntries(Object.entries(GROUPS).map(([kind, label]) => [kind, group(label)]));
  data.features.forEach((feature, index) => {
    if (!feature.name.toLowerCase().includes(words.trim().toLowerCase())) return;
    groups[feature.kind].append(choice(feature, index));
  });
  element("features").replaceChildren(...Object.values(groups).filter((some) => some.children.length));
}

function choice(feature, index) {
  const words = feature.short ? `${feature.name}   ${feature.short}` : feature.name;
  const option = new Option(words, index, false, feature === shown.feature);
  option.className = feature.state.replaceAll(" ", "-");
  return option;
}

// ---- moving

/** Show everything, with a rim. */
function showAll() {
  view.whole = 0.96 * Math.min(canvas.clientWidth / data.width, canvas.clientHeight / data.height);
  view.scale = view.whole;
  view.left = (canvas.clientWidth - data.width * view.scale) / 2;
  view.top = (canvas.clientHeight - data.height * view.scale) / 2;
  hideTip();
}

function move(right, down) {
  view.left += right;
  view.top += down;
  hideTip();
}

/** The largest scale: beyond it there is nothing more to see. */
const closest = () => NATURAL * 4 || view.whole * 60;

/** Zoom so that what is at (u, v) stays there. */
function zoom(factor, u = canvas.clientWidth / 2, v = canvas.clientHeight / 2) {
  const scale = Math.min(Math.max(view.scale * factor, view.whole / 2), closest());
  view.left = u - ((u - view.left) * scale) / view.scale;
  view.top = v - ((v - view.top) * scale) / view.scale;
  view.scale = scale;
  hideTip();
}

// ---- the value under the pointer

function nearest(u, v) {
  let best = -1;
  let least = Math.max(spotRadius(), REACH) ** 2;
  for (let i = 0; i < x.length; i++) {
    const [spotU, spotV] = toScreen(i);
    const distance = (spotU - u) ** 2 + (spotV - v) ** 2;
    if (distance <= least) [best, least] = [i, distance];
  }
  return best;
}

function showTip(u, v) {
  found = nearest(u, v);
  if (found < 0) return hideTip();
  const tip = element("tip");
  const value = shown.levels[found] === LEVELS ? "no value" : format(valueOf(found));
  const line = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });
  const place = [x[found], y[found]].map((px) => Math.round(px * data.umPerPx)).join(", ");
  tip.replaceChildren(
    line("b", `${shown.feature.name} ${value}`),
    line("span", shown.layer === shown.feature.layers[0] ? shown.layer.unit : `${shown.layer.name}, ${shown.layer.unit}`),
    ...overlay.slice(1).map((part) => line("b", `${part.feature.name} ${part.levels[found] === LEVELS ? "no value" : format(valueOf(found, part), part)}`)),
    line("span", `spot ${data.names[found]} at ${place} µm`),
  );
  tip.hidden = false;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  tip.style.left = `${Math.max(4, Math.min(u + 16, width - tip.offsetWidth - 8))}px`;
  tip.style.top = `${v + 20 + tip.offsetHeight > height ? v - tip.offsetHeight - 14 : v + 20}px`;
  redraw();
}

function hideTip() {
  found = -1;
  element("tip").hidden = true;
  redraw();
}

// ---- pointers: drag moves, two fingers zoom, resting or tapping shows a value

const pointers = new Map();

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

/** Middle of all pointers and how far they are from it. */
function grip() {
  const points = [...pointers.values()];
  const [u, v] = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
  return { u, v, spread: Math.max(...points.map((point) => Math.hypot(point[0] - u, point[1] - v))) };
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, place(event));
  canvas.classList.add("moving");
});

canvas.addEventListener("pointermove", (event) => {
  if (!pointers.has(event.pointerId)) return showTip(...place(event));
  const before = grip();
  pointers.set(event.pointerId, place(event));
  const after = grip();
  if (after.u === before.u && after.v === before.v) return;
  move(after.u - before.u, after.v - before.v);
  if (before.spread > 0) zoom(after.spread / before.spread, after.u, after.v);
});

for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, (event) => {
    pointers.delete(event.pointerId);
    if (pointers.size === 0) canvas.classList.remove("moving");
    if (name === "pointerup" && pointers.size === 0) showTip(...place(event));
  });
}

canvas.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hideTip());
canvas.addEventListener(
  "wheel",
  (event) => {
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0016)), ...place(event));
  },
  { passive: false },
);

// ---- keys and controls

/** The next of the list, or the one before. */
function turn(step) {
  const options = element("features").options;
  const at = [...options].findIndex((option) => data.features[option.value] === shown.feature);
  const next = options[Math.min(Math.max(at + step, 0), options.length - 1)];
  if (!next) return;
  next.selected = true;
  choose(Number(next.value));
}

function toggleSpots() {
  const on = element("spots").getAttribute("aria-pressed") === "true";
  element("spots").setAttribute("aria-pressed", String(!on));
  redraw();
}

/** Who moves by keys reads the spot in the middle. */
function moveByKey(right, down) {
  move(right, down);
  showTip(canvas.clientWidth / 2, canvas.clientHeight / 2);
}

const KEYS = {
  ArrowLeft: () => moveByKey(MOVE_STEP, 0),
  ArrowRight: () => moveByKey(-MOVE_STEP, 0),
  ArrowUp: () => moveByKey(0, MOVE_STEP),
  ArrowDown: () => moveByKey(0, -MOVE_STEP),
  "+": () => zoom(ZOOM_STEP),
  "=": () => zoom(ZOOM_STEP), // plus without shift
  "-": () => zoom(1 / ZOOM_STEP),
  0: showAll,
  1: () => zoom((NATURAL || closest()) / view.scale),
  PageDown: () => turn(1),
  PageUp: () => turn(-1),
  h: toggleSpots,
  H: toggleSpots,
  "/": () => element("search").focus(),
};

canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});
element("zoom-in").addEventListener("click", () => zoom(ZOOM_STEP));
element("zoom-out").addEventListener("click", () => zoom(1 / ZOOM_STEP));
element("zoom-all").addEventListener("click", showAll);
element("spots").addEventListener("click", toggleSpots);
element("opacity").addEventListener("input", redraw);
element("search").addEventListener("input", (event) => list(event.target.value));
element("search").addEventListener("keydown", (event) => {
  const first = element("features").options[0];
  if (event.key !== "Enter" || !first) return;
  first.selected = true;
  choose(Number(first.value));
});
element("features").addEventListener("change", (event) => choose(Number(event.target.value)));
element("layer").addEventListener("change", (event) => show(shown.feature, Number(event.target.value)));

for (const button of document.querySelectorAll("[data-shows]")) {
  const index = data.features.findIndex((feature) => feature.kind === "programme" && feature.name === button.dataset.shows);
  button.hidden = index < 0; // it did not fit into the page
  button.addEventListener("click", () => {
    choose(index);
    list(element("search").value);
    canvas.scrollIntoView({ block: "nearest" });
  });
}

// ---- start

element("bar").style.background = `linear-gradient(to right, ${data.colours.filter((_, i) => i % 16 === 0 || i === LEVELS - 1).join(", ")})`;
choose(data.start);
list("");
new ResizeObserver(() => (view.scale === view.whole ? showAll() : redraw())).observe(canvas);
picture.onload = redraw;
picture.src = data.picture;
