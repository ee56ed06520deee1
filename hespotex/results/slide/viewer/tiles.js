"use strict";

// Deep zoom: tiles that lie in a folder beside the page, taken as they come into view.

const KEPT = 300; // tiles, those that were shown last
const FINE_ENOUGH = 1.05; // px of the screen per px of a tile, beyond which a finer level is taken
const levels = data.tiles ? data.tiles.levels.map((level) => ({ ...level, held: new Set(level.held) })) : []; // coarse first
const kept = new Map(); // by address, the one shown last at the end
const NATURAL = levels.length ? 1 / (levels.at(-1).step * data.scale) : 0; // scale at which a px of the finest tiles has one; 0 without any

/** The tiles that are there, coarse ones below fine ones; those that are missing are asked for. */
function drawTiles(width, height, ratio) {
  if (!levels.length || view.scale * ratio <= FINE_ENOUGH) return;
  const onScreen = (level) => level.step * data.scale * view.scale * ratio;
  const enough = levels.findIndex((level) => onScreen(level) <= FINE_ENOUGH);
  const last = enough < 0 ? levels.length - 1 : enough;
  for (const [depth, level] of levels.slice(0, last + 1).entries()) drawLevel(level, width, height, depth === last);
}

function drawLevel(level, width, height, asked) {
  const px = level.step * data.scale * view.scale; // CSS px of a px of the tile
  const side = data.tiles.side * px;
  const first = (start) => Math.max(0, Math.floor(-start / side));
  const lastRow = Math.floor((height - view.top) / side);
  const lastColumn = Math.min(level.columns - 1, Math.floor((width - view.left) / side));
  for (let row = first(view.top); row <= lastRow; row++) {
    for (let column = first(view.left); column <= lastColumn; column++) {
      if (!level.held.has(row * level.columns + column)) continue;
      const tile = tileOf(`${data.tiles.folder}${level.step}/${column}_${row}.jpg`, asked);
      if (!tile?.naturalWidth) continue;
      context.drawImage(tile, view.left + column * side, view.top + row * side, tile.naturalWidth * px, tile.naturalHeight * px);
    }
  }
}

/** The tile of an address; if it is asked for, it is loaded. */
function tileOf(address, asked) {
  let tile = kept.get(address);
  if (!tile && !asked) return undefined;
  kept.delete(address);
  if (!tile) {
    tile = new Image();
    tile.onload = redraw;
    tile.onerror = () => (element("no-tiles").hidden = false);
    tile.src = address;
  }
  kept.set(address, tile);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return tile;
}
