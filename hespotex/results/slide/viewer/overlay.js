"use strict";

// Two or three features at once, each in a colour of its own.

// Light that adds up to white; told apart, mixtures too, with any kind of colour blindness (tests/slide/test_colours.py).
const MIXED = { 2: [[255, 0, 255], [0, 255, 0]], 3: [[170, 0, 170], [85, 170, 0], [0, 85, 85]] };

/** What is shown, and what the fields of the overlay name beside it. */
function mix() {
  const named = ["second", "third"].map((id) => data.features.find((feature) => feature.name === element(id).value.trim()));
  const others = named.filter((feature) => feature && feature !== shown.feature);
  const parts = [shown, ...others.map((feature) => ({ feature, layer: feature.layers[0], levels: bytes(feature.layers[0].levels) }))];
  overlay = others.length ? parts.map((part, i) => ({ ...part, colour: MIXED[parts.length][i] })) : [];
  const legend = element("mix");
  legend.hidden = !overlay.length;
  legend.replaceChildren(...overlay.map(mixedLine));
  for (const id of ["bar", "evidence", "moran"]) element(id).hidden = overlay.length > 0;
  document.querySelector(".ends").hidden = overlay.length > 0;
  hideTip();
}

function mixedLine({ feature, layer, colour }) {
  const line = Object.assign(document.createElement("li"), { className: feature.state.replaceAll(" ", "-") });
  const swatch = document.createElement("i");
  swatch.style.background = `rgb(${colour.join(",")})`;
  const ends = [layer.low, layer.high].map((value) => format(value, { layer })).join(" to ");
  const name = Object.assign(document.createElement("b"), { textContent: feature.name });
  const known = feature.short ? ` ${feature.short}` : "";
  const rest = Object.assign(document.createElement("span"), { textContent: `${known}, dark to bright: ${ends}` });
  line.append(swatch, name, rest);
  return line;
}

element("names").replaceChildren(...data.features.map((feature) => new Option(feature.name)));
for (const id of ["second", "third"]) element(id).addEventListener("input", mix);
