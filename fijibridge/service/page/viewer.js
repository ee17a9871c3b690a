// Orthoslices at true proportions, laid out as ImageJ's orthogonal views: xy, right of it yz, below it xz.

import { blob } from "./service.js";
import { freshId, h } from "./dom.js";
import { length, number, roundLength } from "./format.js";
import { makeLoader } from "./slices.js";

const AXES = ["z", "y", "x"];
const PLANES = [
  { name: "xy", along: "z", across: "x", down: "y" },
  { name: "yz", along: "x", across: "z", down: "y" },
  { name: "xz", along: "y", across: "x", down: "z" },
];
const GAP = 14;
// Pixels of a plane's caption, of its words, of what is left free below the planes, and of the sliders where they stand beside them.
const CAPTION = 24;
const WORDS = 100;
const FOOT = 14;
const PANEL = 370;
// The least share of the window's height that planes are given.
const LEAST = 0.55;

/** Show a job's volumes; `about` says for `input` and `result` what each is. */
export function showSlices(id, about) {
  const both = about.input && about.result;
  const same = both && String(about.input.shape) === String(about.result.shape);
  const state = { of: about.result ? "result" : "input", mix: 100, swipe: false, at: {} };
  if (same && about.result.shows === "labels") state.mix = 50;
  const grid = () => about[state.of];
  const size = (axis, of = state.of) => about[of].shape[AXES.indexOf(axis)];
  const step = (axis) => grid().spacing[AXES.indexOf(axis)];
  const fault = h("p", { class: "error", role: "alert", hidden: true });
  const loader = makeLoader((of, axis, index, signal) => blob(`/api/jobs/${id}/slice?of=${of}&axis=${axis}&index=${index}`, signal));

  const planes = PLANES.map((plane) => makePlane(plane));
  const sliders = Object.fromEntries(AXES.map((axis) => [axis, makeSlider(axis)]));
  const holder = h("div", { class: "planes" }, planes.map((plane) => plane.figure));
  const controls = h("div", { class: "controls" }, AXES.map((axis) => sliders[axis].row), same ? overlay() : both ? choice() : null);
  const panel = h("div", { class: "panel" }, controls, legend(), fault);
  const root = h("section", { class: "viewer", "aria-label": "Orthoslices", onkeydown: onKey },
    panel, holder,
    h("div", { class: "under" },
      h("p", { class: "soft small" }, "Click into a plane to move the others there. Arrow keys step through slices, Page Up and Page Down by ten",
        same ? [", ", h("kbd", {}, "O"), " shows input and result in turn"] : null, "."),
      h("button", { type: "button", class: "button", onclick: () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()) }, "Whole screen")));

  function makePlane(plane) {
    const layers = Object.fromEntries(["input", "result"].filter((of) => about[of]).map((of) => [of, h("canvas", { class: of })]));
    const cross = [h("i", { class: "cross across" }), h("i", { class: "cross down" })];
    const bar = h("span", { class: "scale" }, h("b", {}), h("i", {}));
    const view = h("div", { class: "plane", role: "img" }, Object.values(layers), cross, bar);
    view.addEventListener("pointerdown", (event) => point(plane, view, event));
    view.addEventListener("pointermove", (event) => event.buttons === 1 && point(plane, view, event));
    const caption = h("figcaption", {}, plane.name);
    return { ...plane, layers, cross, bar, view, caption, figure: h("figure", { class: `of-${plane.name}` }, caption, view) };
  }

  function makeSlider(axis) {
    const input = h("input", { type: "range", min: 0, step: 1, id: freshId("slice"), oninput: () => go(axis, input.valueAsNumber) });
    input.addEventListener("keydown", (event) => {
      const by = { PageUp: 10, PageDown: -10 }[event.key];
      if (by) { event.preventDefault(); go(axis, state.at[axis] + by); }
    });
    const output = h("output", { for: input.id });
    return { input, output, row: h("div", { class: "control" }, h("label", { for: input.id }, `Slice ${axis}`), input, output) };
  }

  function overlay() {
    const input = h("input", { type: "range", min: 0, max: 100, value: state.mix, id: freshId("overlay"), class: "overlay" });
    const told = h("output", { for: input.id });
    const apply = () => {
      state.mix = input.valueAsNumber;
      told.textContent = `${state.mix} % result`;
      input.setAttribute("aria-valuetext", told.textContent);
      planes.forEach(mix);
    };
    input.addEventListener("input", apply);
    const swipe = h("input", { type: "checkbox", onchange: () => { state.swipe = swipe.checked; if (state.mix === 100) input.value = 50; apply(); } });
    state.flip = () => { input.value = state.mix > 0 ? 0 : state.swipe || about.result.shows === "grey" ? 100 : 50; apply(); };
    state.apply = apply;
    return h("div", { class: "control" }, h("label", { for: input.id }, "Overlay"), input, told,
      h("label", { class: "swipe" }, swipe, " side by side"));
  }

  function choice() {
    const name = freshId("of");
    return h("fieldset", { class: "control choice" }, h("legend", {}, "Show"), ["input", "result"].map((of) =>
      h("label", {}, h("input", { type: "radio", name, value: of, checked: of === state.of, onchange: () => turn(of) }), ` ${of}`)));
  }

  function legend() {
    const { shape, spacing, units, dtype } = grid();
    const calibrated = units === "voxel" ? "voxel size not known" : `voxel size ${spacing.map((each) => number(each)).join(" × ")} ${units === "um" ? "µm" : units} (z, y, x)`;
    const words = `${state.of}: ${shape.join(" × ")} voxels (z, y, x) · ${calibrated} · ${dtype}`;
    const made = state.legend || h("p", { class: "soft small" });
    made.textContent = both && !same ? `${words}; input and result lie on different grids` : words;
    state.legend = made;
    return made;
  }

  function turn(of) {
    const before = state.of;
    const share = Object.fromEntries(AXES.map((axis) => [axis, (state.at[axis] + 0.5) / size(axis, before)]));
    state.of = of;
    legend();
    for (const axis of AXES) state.at[axis] = Math.min(size(axis) - 1, Math.floor(share[axis] * size(axis)));
    layout();
    AXES.forEach((axis) => go(axis, state.at[axis]));
  }

  /** Where a slice lies; slices count from 0. */
  function told(axis, index) {
    const place = grid().units === "voxel" ? "" : ` · ${length(index * step(axis), grid().units)}`;
    return `${index} of 0–${size(axis) - 1}${place}`;
  }

  function go(axis, index) {
    const last = size(axis) - 1;
    state.at[axis] = Math.max(0, Math.min(last, index));
    const { input, output } = sliders[axis];
    input.max = last;
    input.value = state.at[axis];
    input.disabled = last === 0;
    output.textContent = told(axis, state.at[axis]);
    input.setAttribute("aria-valuetext", output.textContent);
    for (const plane of planes) {
      if (plane.along === axis) load(plane);
      else cross(plane);
    }
  }

  function load(plane) {
    const index = state.at[plane.along];
    plane.caption.textContent = `${plane.name} · ${plane.along} = ${index}`;
    plane.view.setAttribute("aria-label", `${plane.name} plane of the ${same ? "input with the result over it" : state.of}, slice ${index} along ${plane.along}`);
    for (const of of same ? ["input", "result"] : [state.of]) {
      loader.show(plane.layers[of], { of, axis: plane.along, index, turned: plane.name === "yz" })
        .then(() => { fault.hidden = true; }, (error) => { fault.textContent = `This slice cannot be shown: ${error.message}`; fault.hidden = false; });
    }
    cross(plane);
  }

  function cross(plane) {
    const at = (axis) => `${(100 * (state.at[axis] + 0.5)) / size(axis)}%`;
    plane.cross[0].style.top = at(plane.down);
    plane.cross[1].style.left = at(plane.across);
  }

  function mix(plane) {
    for (const of of ["input", "result"]) if (plane.layers[of]) plane.layers[of].hidden = !same && of !== state.of;
    if (!same) return;
    const { result } = plane.layers;
    result.style.opacity = state.swipe ? 1 : state.mix / 100;
    result.style.clipPath = state.swipe ? `inset(0 ${100 - state.mix}% 0 0)` : "none";
  }

  function point(plane, view, event) {
    const box = view.getBoundingClientRect();
    const share = { [plane.across]: (event.clientX - box.left) / box.width, [plane.down]: (event.clientY - box.top) / box.height };
    for (const [axis, part] of Object.entries(share)) go(axis, Math.floor(part * size(axis)));
    sliders[plane.along].input.focus({ preventScroll: true });
    event.preventDefault();
  }

  function onKey(event) {
    const by = { ",": -1, "<": -1, ".": 1, ">": 1 }[event.key];
    if (by) go("z", state.at.z + by);
    else if (event.key.toLowerCase() === "o" && state.flip && !event.ctrlKey && !event.metaKey) state.flip();
    else return;
    event.preventDefault();
  }

  /** Give the planes as much room as they can have and be seen at once: the sliders above them, or right of them. */
  function layout() {
    root.classList.remove("beside");
    const room = root.clientWidth;
    if (!room) return;
    const longest = Math.max(...AXES.map((axis) => told(axis, size(axis) - 1).length));
    controls.style.setProperty("--told", `${0.9 * longest}ch`);
    const narrow = room < 520;
    const start = document.fullscreenElement ? FOOT : root.getBoundingClientRect().top + window.scrollY;
    const tall = Math.max(window.innerHeight - start - FOOT, LEAST * window.innerHeight);
    const edge = Object.fromEntries(AXES.map((axis) => [axis, size(axis) * step(axis)]));
    const above = together(edge, room, tall - panel.offsetHeight - GAP);
    const beside = together(edge, room - PANEL, tall);
    root.classList.toggle("beside", !narrow && beside > above);
    holder.classList.toggle("stacked", narrow);
    for (const plane of planes) {
      const alone = Math.min(room / edge[plane.across], (0.72 * window.innerHeight) / edge[plane.down]);
      const scale = narrow ? alone : Math.max(above, beside);
      place(plane, edge[plane.across] * scale, edge[plane.down] * scale, edge[plane.across]);
    }
  }

  /** The scale at which all three planes fit into a room. */
  function together(edge, width, height) {
    const isFlat = size("z") === 1;
    const deep = isFlat ? 0 : edge.z;
    const captions = isFlat ? CAPTION : 2 * CAPTION + GAP;
    const wide = Math.min((width - GAP - 2) / (edge.x + deep), (width - GAP - (isFlat ? 0 : WORDS)) / edge.x);
    return Math.min(wide, (height - captions) / (edge.y + deep));
  }

  function place(plane, width, height, real) {
    plane.figure.hidden = plane.name !== "xy" && size("z") === 1;
    plane.view.style.width = `${Math.max(2, width)}px`;
    plane.view.style.height = `${Math.max(2, height)}px`;
    plane.view.classList.toggle("enlarged", width > size(plane.across));
    const bar = roundLength(real / 4);
    plane.bar.hidden = width < 110 || height < 40;
    plane.bar.firstChild.textContent = length(bar, grid().units);
    plane.bar.lastChild.style.width = `${(width * bar) / real}px`;
    mix(plane);
  }

  let width = 0;
  const watcher = new ResizeObserver(() => {
    if (root.clientWidth === width) return; // a layout changes the height, which is no reason for another
    width = root.clientWidth;
    layout();
  });
  watcher.observe(root);
  const gone = new AbortController();
  addEventListener("resize", layout, { signal: gone.signal });
  AXES.forEach((axis) => { state.at[axis] = Math.floor(size(axis) / 2); });
  AXES.forEach((axis) => go(axis, state.at[axis]));
  state.apply?.();
  return { root, close: () => { watcher.disconnect(); gone.abort(); loader.close(); } };
}
