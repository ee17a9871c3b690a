// Start a job: the form is made from what the service says that it can do.

import { get, post } from "./service.js";
import { openBrowser } from "./browse.js";
import { freshId, h } from "./dom.js";
import { makeField } from "./fields.js";

const FILES = {
  volume: "stack (a TIFF, or a folder of slices)", labels: "labels (TIFF, ImageJ regions, ilastik project)", mask: "mask", model: "model (.fbforest)",
  recipe: "recipe (.toml)", truth: "truth, where it is known", study: "study file (.toml); left out: two simulated scans", reference: "stack to register onto",
};
let wish = null;

/** Let the next form start with these values. */
export function fillForm(values) {
  wish = values;
}

export function showForm(main) {
  const values = wish || {};
  wish = null;
  const body = h("div", {}, h("p", { class: "soft" }, "…"));
  main.replaceChildren(h("h2", {}, "New job"), body);
  let isGone = false;
  Promise.all([get("/api/operations"), get("/api/status")]).then(
    ([operations, status]) => isGone || body.replaceChildren(form(operations, status, values)),
    (error) => isGone || body.replaceChildren(h("p", { class: "error", role: "alert" }, error.message)));
  return { close: () => { isGone = true; } };
}

function form(operations, status, values) {
  const inside = h("div", {});
  const pick = h("select", { id: freshId("operation"), onchange: () => choose(pick.value, known()) },
    operations.map((each) => h("option", { value: each.name, selected: each.name === values.operation }, each.name)));
  const fault = h("p", { class: "error", role: "alert", tabindex: -1, hidden: true });
  const submit = h("button", { type: "submit", class: "button primary" }, "Start");
  let current = null;
  // What was typed for one operation's files stands in the next one's form too.
  const known = () => ({ inputs: Object.fromEntries(current.files.map((file) => [file.name, file.control.value])) });

  function choose(name, given) {
    current = makeParts(operations.find((each) => each.name === name), status, given);
    inside.replaceChildren(...current.rows);
    fault.hidden = true;
  }

  async function send(event) {
    event.preventDefault();
    fault.hidden = true;
    submit.disabled = true;
    try {
      const job = await post("/api/jobs", { operation: pick.value, ...current.read() });
      location.hash = `#job=${job.id}`;
      dispatchEvent(new Event("jobs-changed"));
    } catch (error) {
      fault.textContent = error.message;
      fault.hidden = false;
      fault.focus();
    }
    submit.disabled = false;
  }

  choose(pick.value, values);
  return h("form", { class: "form", onsubmit: send },
    h("div", { class: "field" }, h("label", { for: pick.id }, "operation"), pick), inside, fault, h("div", { class: "actions" }, submit));
}

function makeParts(entry, status, given) {
  const engine = h("select", { id: freshId("engine") }, entry.engines.map((name) =>
    h("option", { value: name, selected: name === given.engine }, name === "fiji" ? "ImageJ" : "Python")));
  const names = [...entry.inputs.required, ...entry.inputs.optional];
  const files = names.map((name) => fileField(name, entry.inputs.required.includes(name), status, given.inputs?.[name]));
  const { properties = {}, required = [] } = entry.parameters;
  const fields = Object.entries(properties).map(([name, schema]) => makeField(name, schema, required.includes(name), given.parameters?.[name]));
  const size = voxelSize(given);
  const output = textField("output", "output; left out: in the service's folder", given.output);
  const rows = [
    h("p", { class: "summary" }, entry.summary.replaceAll("`", "")),
    files.map((file) => file.row),
    entry.engines.length > 1 ? h("div", { class: "field" }, h("label", { for: engine.id }, "engine"), engine) : null,
    fields.length ? h("fieldset", {}, h("legend", {}, "Parameters"), fields.map((field) => field.row)) : null,
    h("details", { open: Boolean(given.spacing || given.output) }, h("summary", {}, "Voxel size and output"), names.includes("volume") ? size.rows : null, output.row),
  ].flat().filter(Boolean);
  const read = () => ({
    engine: engine.value,
    inputs: some(files.map((file) => [file.name, file.control.value.trim()])),
    parameters: Object.fromEntries(fields.map((field) => [field.name, field.read()]).filter(([, value]) => value !== undefined)),
    output: output.control.value.trim() || null,
    ...(names.includes("volume") ? size.read() : {}),
  });
  return { rows, files, read };
}

const some = (pairs) => Object.fromEntries(pairs.filter(([, value]) => value));

function textField(name, label, value, isRequired = false) {
  const id = freshId(name);
  const control = h("input", { id, type: "text", value: value || null, required: isRequired, spellcheck: "false", autocomplete: "off" });
  return { name, control, row: h("div", { class: "field" }, h("label", { for: id }, label), control) };
}

function fileField(name, isRequired, status, value) {
  const field = textField(name, FILES[name] || name.replaceAll("_", " "), value, isRequired);
  field.control.setAttribute("placeholder", "whole path");
  const browse = h("button", { type: "button", class: "button", "aria-label": `Choose ${name}`,
    onclick: () => openBrowser(status, field.control.value.trim(), (path) => { field.control.value = path; field.control.focus(); }) }, "Choose…");
  const room = h("div", { class: "with-button" });
  field.control.replaceWith(room);
  room.append(field.control, browse);
  return field;
}

function voxelSize(given) {
  const spacing = textField("spacing", "voxel size z, y, x, where the file does not say", given.spacing?.join(", "));
  const units = h("select", { id: freshId("units") }, ["nm", "um"].map((unit) =>
    h("option", { value: unit, selected: unit === given.units }, unit === "um" ? "µm" : unit)));
  const read = () => {
    const numbers = spacing.control.value.split(/[\s,;]+/).filter(Boolean).map(Number);
    if (numbers.length === 0) return {};
    if (numbers.length !== 3 || !numbers.every((each) => each > 0)) throw new Error("voxel size: write three numbers above 0, for z, y and x, like 20, 5, 5");
    return { spacing: numbers, units: units.value };
  };
  return { rows: [spacing.row, h("div", { class: "field" }, h("label", { for: units.id }, "unit"), units)], read };
}
