"use strict";

// Regions: the mean in each of what is shown, and outlines that are drawn on the page itself.

const lasso = element("lasso");
let nDrawn = 0;

/** Mean of a feature in each region; grey for a gene that has earned nothing. */
function tell(feature) {
  const table = element("regions");
  table.hidden = data.regions.length === 0;
  table.className = feature.state.replaceAll(" ", "-");
  table.tBodies[0].replaceChildren(...data.regions.map((region, i) => row(region, region.members ? meanOf(feature, region.members) : feature.means[i])));
  element("save").hidden = !data.regions.some((region) => region.members);
}

function row(region, mean) {
  const line = document.createElement("tr");
  const cell = (...content) => {
    const made = document.createElement("td");
    made.append(...content);
    return made;
  };
  const name = region.members ? [nameField(region), removal(region)] : [region.name];
  line.append(cell(...name), cell(`${region.spots} spots`), cell(mean === null ? "no spot" : mean.toPrecision(3)));
  return line;
}

function nameField(region) {
  const field = Object.assign(document.createElement("input"), { value: region.name, maxLength: 60 });
  field.setAttribute("aria-label", "Name of the region");
  field.addEventListener("input", () => {
    region.name = field.value;
    redraw();
  });
  return field;
}

function removal(region) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "×" });
  button.setAttribute("aria-label", `Remove ${region.name}`);
  button.addEventListener("click", () => {
    data.regions.splice(data.regions.indexOf(region), 1);
    tell(shown.feature);
    redraw();
  });
  return button;
}

/** Over the spots that have a value; null without any. */
function meanOf(feature, members) {
  const layer = feature.layers[0];
  const levels = bytes(layer.levels);
  const known = members.filter((i) => levels[i] !== LEVELS);
  if (!known.length) return null;
  return known.reduce((sum, i) => sum + valueOf(i, { layer, levels }), 0) / known.length;
}

// ---- drawing an outline

const isOn = () => lasso.getAttribute("aria-pressed") === "true";

function press(on) {
  lasso.setAttribute("aria-pressed", String(on));
  canvas.classList.toggle("outlining", on);
}

/** Where a pointer is, in px of the picture. */
function onPicture(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left - view.left) / view.scale, (event.clientY - box.top - view.top) / view.scale];
}

/** Spots whose centre lies inside a ring: a ray to the right crosses it an odd number of times. */
function within(ring) {
  const crosses = (i, a, b) => a[1] > y[i] !== b[1] > y[i] && x[i] < ((b[0] - a[0]) * (y[i] - a[1])) / (b[1] - a[1]) + a[0];
  const isIn = (i) => ring.filter((point, at) => crosses(i, point, ring[(at + 1) % ring.length])).length % 2 === 1;
  return [...x.keys()].filter(isIn);
}

/** The outline becomes a region, unless it holds no spot. */
function close() {
  const members = within(outline);
  if (members.length) {
    nDrawn += 1;
    data.regions.push({ name: `region ${nDrawn}`, rings: [outline], spots: members.length, members });
  }
  outline = null;
  press(false);
  tell(shown.feature);
  redraw();
}

const STEPS = {
  pointerdown: (event) => {
    canvas.setPointerCapture(event.pointerId);
    outline = [onPicture(event)];
  },
  pointermove: (event) => outline?.push(onPicture(event)),
  pointerup: () => outline && close(),
  pointercancel: () => (outline = null),
};
for (const [name, step] of Object.entries(STEPS)) {
  canvas.addEventListener(name, (event) => {
    if (!isOn()) return;
    event.stopImmediatePropagation(); // it neither moves the slide nor shows a value
    step(event);
    redraw();
  });
}
lasso.addEventListener("click", () => press(!isOn()));

// ---- as a file that predict.py regions=... and QuPath read

/** Full-resolution px, from the corner of the scanned area. */
function asFeature(region) {
  const ring = [...region.rings[0], region.rings[0][0]];
  const full = ring.map((point) => point.map((px, axis) => Math.round((px / data.scale - data.origin[axis]) * 10) / 10));
  return {
    type: "Feature",
    geometry: { type: "Polygon", coordinates: [full] },
    properties: { objectType: "annotation", name: region.name },
  };
}

function saved() {
  const features = data.regions.filter((region) => region.members).map(asFeature);
  return JSON.stringify({ type: "FeatureCollection", features });
}

element("save").addEventListener("click", () => {
  const address = URL.createObjectURL(new Blob([saved()], { type: "application/geo+json" }));
  Object.assign(document.createElement("a"), { href: address, download: `${document.title}.geojson` }).click();
  URL.revokeObjectURL(address);
});
