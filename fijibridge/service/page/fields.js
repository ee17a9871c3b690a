// One field of a form for each parameter, made from its JSON schema.

import { freshId, h } from "./dom.js";
import { words } from "./format.js";

/** Make a field; `read` gives the value, undefined where it was left as it is, and throws what is wrong with it. */
export function makeField(name, schema, isRequired, value) {
  const kind = kindOf(schema);
  const id = freshId("parameter");
  const help = hint(schema, kind);
  const made = kind.type === "boolean" ? checkbox(id, schema, value) : kind.options ? select(id, schema, kind, value) : input(id, name, schema, kind, value, isRequired);
  if (help) made.control.setAttribute("aria-describedby", `${id}-help`);
  const label = h("label", { for: id }, words(name), isRequired ? h("span", { class: "soft" }, " (needed)") : null);
  const row = h("div", { class: "field" }, label, made.control, made.extra, help ? h("p", { class: "soft small", id: `${id}-help` }, help) : null);
  return { name, row, read: made.read };
}

/** What values a schema takes: an `anyOf` with null is a value that may be left open. */
function kindOf(schema) {
  const variants = schema.anyOf || [schema];
  const real = variants.filter((each) => each.type !== "null");
  const first = real[0];
  return { ...first, words: real.filter((each) => "const" in each).map((each) => each.const), isOpen: real.length < variants.length,
    options: real.length === 1 && first.enum, isNumber: ["number", "integer"].includes(first.type) };
}

function hint(schema, kind) {
  const parts = [];
  // What Python calls None is a field left empty here.
  if (schema.description) parts.push(schema.description.replace(/\.$/, "").replace(/\bNone\b/g, "automatic"));
  if (kind.type === "array") parts.push(kind.minItems ? `${kind.minItems} numbers with commas between them` : "numbers with commas between them");
  if (kind.words.length) parts.push(`or ${kind.words.join(", ")}`);
  const limits = [
    kind.minimum !== undefined && `at least ${kind.minimum}`, kind.exclusiveMinimum !== undefined && `above ${kind.exclusiveMinimum}`,
    kind.maximum !== undefined && `at most ${kind.maximum}`, kind.exclusiveMaximum !== undefined && `below ${kind.exclusiveMaximum}`,
  ].filter(Boolean);
  if (limits.length) parts.push(limits.join(", "));
  if (schema.default !== undefined && schema.default !== null && schema.default !== "" && kind.type !== "boolean") parts.push(`default ${plain(schema.default)}`);
  return parts.join(" · ");
}

const plain = (value) => (Array.isArray(value) ? value.join(", ") : String(value));

function checkbox(id, schema, value) {
  const control = h("input", { type: "checkbox", id, checked: value ?? schema.default ?? false });
  return { control, read: () => control.checked };
}

function select(id, schema, kind, value) {
  const chosen = value ?? schema.default;
  const control = h("select", { id }, kind.isOpen ? h("option", { value: "" }, "automatic") : null,
    kind.options.map((option) => h("option", { value: option, selected: option === chosen }, option)));
  return { control, read: () => control.value || undefined };
}

function input(id, name, schema, kind, value, isRequired) {
  const start = value ?? schema.default;
  const isPlain = kind.isNumber && kind.words.length === 0;
  const control = h("input", {
    id, required: isRequired, type: isPlain ? "number" : "text", step: kind.type === "integer" ? 1 : "any", spellcheck: "false", autocomplete: "off",
    min: kind.minimum, max: kind.maximum, value: start === null || start === undefined ? null : plain(start),
    placeholder: kind.isOpen ? "automatic" : null,
  });
  const extra = kind.words.length ? h("datalist", { id: `${id}-list` }, kind.words.map((word) => h("option", { value: word }))) : null;
  if (extra) control.setAttribute("list", extra.id);
  return { control, extra, read: () => parse(control.value.trim(), name, kind) };
}

function parse(typed, name, kind) {
  if (typed === "") return undefined;
  if (kind.type === "array") return typed.split(/[\s,;]+/).filter(Boolean).map((part) => asNumber(part, name));
  if (kind.isNumber) return kind.words.includes(typed) ? typed : asNumber(typed, name);
  return typed;
}

function asNumber(typed, name) {
  const value = Number(typed);
  if (!Number.isFinite(value)) throw new Error(`${words(name)}: ${typed} is no number; write it like 12.5`);
  return value;
}
