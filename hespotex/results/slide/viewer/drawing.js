"use strict";

// What is on the canvas: the picture, the spots in the colours of the shown feature, the scale bar.

const LEVELS = 255; // byte 255: no value
const LEAST_RADIUS = 1.5; // CSS px of a spot that can still be seen
const RING_RADIUS = 40; // CSS px from which a spot is a ring, so that its nuclei are seen
const RING_WIDTH = 0.15; // of the radius

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const canvas = element("canvas");
const context = canvas.getContext("2d");
const picture = new Image();
const x = new Float32Array(bytes(data.x).buffer);
const y = new Float32Array(bytes(data.y).buffer);

// The picture's top left corner in CSS px of the canvas, CSS px per px of the picture, and the same when all is shown.
const view = { left: 0, top: 0, scale: 1, whole: 1 };
let shown = { feature: null, layer: null, levels: null, order: null };
let overlay = []; // two or three features, each with a colour of its own, where several are shown
let outline = null; // of a region that is being drawn, in px of the picture
let found = -1; // spot under the pointer
let waiting = false;

function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// ---- drawing

function redraw() {
  if (!waiting) requestAnimationFrame(draw);
  waiting = true;
}

function draw() {
  waiting = false;
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.drawImage(picture, view.left, view.top, data.width * view.scale, data.height * view.scale);
  drawTiles(width, height, ratio);
  context.globalAlpha = element("opacity").value / 100;
  if (element("spots").getAttribute("aria-pressed") === "true") drawSpots(width, height);
  context.globalAlpha = 1;
  for (const region of data.regions) drawRegion(region);
  if (outline) drawRegion({ name: "", rings: [outline] });
  if (found >= 0) drawRing(found);
  drawScale();
}

/** Spots of one colour that follow each other share a path: thousands of them are drawn in a few milliseconds. */
function drawSpots(width, height) {
  const radius = spotRadius();
  const paint = radius < RING_RADIUS ? "fill" : "stroke";
  const drawn = paint === "fill" ? radius : radius * (1 - RING_WIDTH / 2);
  context.lineWidth = radius * RING_WIDTH;
  let colour = null;
  context.beginPath();
  for (const i of shown.order) {
    const [u, v] = toScreen(i);
    if (u < -radius || v < -radius || u > width + radius || v > height + radius) continue;
    const own = overlay.length ? mixed(i) : colourOf(shown.levels[i]);
    if (own !== colour) {
      context[paint]();
      context.beginPath();
      colour = own;
      context[`${paint}Style`] = colour;
    }
    context.moveTo(u + drawn, v);
    context.arc(u, v, drawn, 0, 2 * Math.PI);
  }
  context[paint]();
}

/** White beside black: seen on glass, tissue and spots. */
function drawRegion(region) {
  context.beginPath();
  for (const ring of region.rings) {
    ring.forEach(([u, v], i) => context[i ? "lineTo" : "moveTo"](view.left + u * view.scale, view.top + v * view.scale));
    context.closePath();
  }
  for (const [width, colour] of [[4, "#fff"], [2, "#111"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }
  const [u, v] = region.rings[0].reduce((top, point) => (point[1] < top[1] ? point : top));
  const place = [view.left + u * view.scale + 6, view.top + v * view.scale + 17];
  context.font = "600 13px system-ui, sans-serif";
  context.lineWidth = 4;
  context.strokeStyle = "#fff";
  context.strokeText(region.name, ...place);
  context.fillStyle = "#111";
  context.fillText(region.name, ...place);
}

function drawRing(i) {
  context.beginPath();
  context.arc(...toScreen(i), spotRadius() + 2, 0, 2 * Math.PI);
  context.lineWidth = 2;
  context.strokeStyle = "#e0115f";
  context.stroke();
}

function drawScale() {
  const pxPerUm = view.scale / data.umPerPx;
  const most = Math.min(160, canvas.clientWidth / 3) / pxPerUm;
  const power = 10 ** Math.floor(Math.log10(most));
  const um = power * [5, 2, 1].find((step) => step * power <= most);
  element("scale-text").textContent = um >= 1000 ? `${um / 1000} mm` : `${um} µm`;
  element("scale-bar").style.width = `${um * pxPerUm}px`;
}

const spotRadius = () => Math.max((data.diameter * view.scale) / 2, LEAST_RADIUS);
const toScreen = (i) => [view.left + x[i] * view.scale, view.top + y[i] * view.scale];

// ---- values and colours

function valueOf(i, { layer, levels } = shown) {
  return layer.min + (levels[i] / (LEVELS - 1)) * (layer.max - layer.min);
}

/** As many decimals as the 255 steps are worth. */
function format(value, { layer } = shown) {
  const step = (layer.max - layer.min) / (LEVELS - 1);
  const decimals = step > 0 ? Math.ceil(-Math.log10(step)) : 4;
  return value.toFixed(Math.min(Math.max(decimals, 0), 12));
}

function colourOf(level) {
  if (level === LEVELS) return "transparent";
  return data.colours[Math.round(shareOf(shown.layer, level) * (LEVELS - 1))];
}

/** Where a level lies between the ends of its layer's colours, 0 to 1. */
function shareOf(layer, level) {
  const { min, max, low, high } = layer;
  const value = min + (level / (LEVELS - 1)) * (max - min);
  const share = high > low ? (value - low) / (high - low) : 0.5;
  return Math.min(Math.max(share, 0), 1);
}

/** The colours of the overlay added up, each as bright as its feature is high; black where all are low. */
function mixed(i) {
  if (overlay.some((part) => part.levels[i] === LEVELS)) return "transparent";
  const sum = [0, 0, 0];
  for (const { layer, levels, colour } of overlay) {
    colour.forEach((light, channel) => (sum[channel] += light * shareOf(layer, levels[i])));
  }
  return `rgb(${sum.map((light) => Math.round(Math.min(light, 255))).join(",")})`;
}
