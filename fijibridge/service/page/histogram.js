// Histograms of input and result over one axis of grey values; of labels, each label's share.

import { h, svg } from "./dom.js";
import { number } from "./format.js";

const WIDTH = 640;
const HEIGHT = 200;
const FOOT = 26;
const NAMES = { 0: "unlabelled", 1: "active material", 2: "pore + carbon-binder" };

export function drawHistogram(found, about) {
  const parts = [];
  if (Object.keys(found.counts).length) parts.push(drawGrey(found));
  for (const [name, counts] of Object.entries(found.labels)) parts.push(drawShares(name, counts, about[name]));
  return h("div", { class: "histogram" }, parts);
}

function drawGrey({ edges, counts }) {
  const names = Object.keys(counts);
  const holder = h("div", {});
  const label = `Grey values of ${names.join(" and ")}, from ${number(edges[0])} to ${number(edges.at(-1))}`;
  const draw = (log) => holder.replaceChildren(picture(edges, counts, log, label));
  draw(false);
  return h("figure", {},
    holder,
    h("figcaption", { class: "legend" },
      names.map((name) => h("span", { class: `key ${name}` }, name)),
      h("label", {}, h("input", { type: "checkbox", onchange: (event) => draw(event.target.checked) }), " logarithmic"),
      h("span", { class: "soft" }, "share of voxels against grey value")));
}

function picture(edges, counts, log, label) {
  const shares = Object.fromEntries(Object.entries(counts).map(([name, each]) => {
    const total = each.reduce((sum, count) => sum + count, 0) || 1;
    return [name, each.map((count) => (log ? Math.log10(1 + (1e5 * count) / total) : count / total))];
  }));
  const top = Math.max(...Object.values(shares).flat()) || 1;
  const span = edges.at(-1) - edges[0];
  const x = (value) => (WIDTH * (value - edges[0])) / span;
  const y = (share) => HEIGHT - (HEIGHT - 6) * (share / top);
  const outline = (each) =>
    `M0 ${HEIGHT}${each.map((share, at) => `L${x(edges[at]).toFixed(2)} ${y(share).toFixed(2)}L${x(edges[at + 1]).toFixed(2)} ${y(share).toFixed(2)}`).join("")}L${WIDTH} ${HEIGHT}`;
  return svg("svg", { viewBox: `-8 0 ${WIDTH + 16} ${HEIGHT + FOOT}`, role: "img", "aria-label": label },
    Object.entries(shares).map(([name, each]) => svg("path", { d: outline(each), class: name })),
    svg("path", { d: `M0 ${HEIGHT}H${WIDTH}`, class: "axis" }),
    ticks(edges[0], edges.at(-1)).map((value) => [
      svg("path", { d: `M${x(value)} ${HEIGHT}v5`, class: "axis" }),
      svg("text", { x: x(value), y: HEIGHT + 20, "text-anchor": "middle" }, number(value)),
    ]));
}

function ticks(low, high) {
  const rough = (high - low) / 6;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high + 1e-9 * step; at += 1) found.push(Number((at * step).toPrecision(12)));
  return found;
}

/** A mask is read as 0 and 1, or 0 and 255, or false and true: it has no materials. */
function drawShares(name, counts, about) {
  const isMask = about?.dtype === "bool" || Object.keys(counts).every((label) => ["0", "255", "False", "True"].includes(label));
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const rows = Object.entries(counts).sort(([a], [b]) => Number(a) - Number(b)).map(([label, count]) => {
    const marked = !["0", "False"].includes(label);
    const colour = marked ? (isMask ? 1 : ((Number(label) - 1) % 8) + 1) : 0;
    const words = isMask ? (marked ? "marked" : "not marked") : [label, NAMES[label]].filter(Boolean).join(" · ");
    return h("tr", {},
      h("th", { scope: "row", class: "left" }, h("span", { class: `swatch label-${colour}` }), ` ${words}`),
      h("td", {}, number(count)),
      h("td", {}, `${((100 * count) / total).toFixed(2)} %`),
      h("td", { class: "bar", "aria-hidden": "true" }, h("meter", { class: `label-${colour}`, max: total, value: count })));
  });
  return h("div", { class: "scroll" }, h("table", { class: "shares" },
    h("caption", { class: "quiet" }, `Labels of the ${name}`),
    h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "left" }, isMask ? "mask" : "label"), h("th", { scope: "col" }, "voxels"),
      h("th", { scope: "col" }, "share"), h("td", {}))),
    h("tbody", {}, rows)));
}
