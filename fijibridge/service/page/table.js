// A job's table; a click on a column's head sorts by it.

import { h } from "./dom.js";
import { fileName, number } from "./format.js";

/** Draw rows of names and values; what is nested in a row gets columns of its own. */
export function drawTable(found, label) {
  const rows = found.rows.map((row) => flat(row));
  const columns = [...new Set(rows.flatMap(Object.keys))];
  const isNumber = new Set(columns.filter((name) => rows.every((row) => row[name] == null || typeof row[name] === "number")));
  const body = h("tbody");
  const heads = columns.map((name) =>
    h("th", { scope: "col", class: isNumber.has(name) ? null : "left" },
      h("button", { type: "button", onclick: (event) => sort(name, event.currentTarget.parentNode) }, name.replaceAll("_", " "))));
  const fillBody = (order) => body.replaceChildren(...order.map((row) =>
    h("tr", {}, columns.map((name) => cell(row[name], isNumber.has(name))))));
  function sort(name, head) {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = [...rows].sort((a, b) => compare(a[name], b[name]));
    fillBody(down ? order.reverse() : order);
  }
  fillBody(rows);
  return h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h("table", {}, h("thead", {}, h("tr", {}, heads)), body));
}

function flat(row, before = "") {
  return Object.entries(row).reduce((all, [name, value]) => {
    const key = before + name;
    const nested = value !== null && typeof value === "object" && !Array.isArray(value);
    return Object.assign(all, nested ? flat(value, `${key} `) : { [key]: value });
  }, {});
}

function cell(value, isNumber) {
  if (isNumber) return h("td", {}, value == null ? "–" : number(value));
  const words = value == null ? "–" : Array.isArray(value) ? value.join(", ") : String(value);
  return h("td", { class: "left", title: words.length > 40 ? words : null }, words.length > 40 ? `…${fileName(words).slice(-39)}` : words);
}

function compare(a, b) {
  if (a == null || b == null) return (a == null) - (b == null);
  return typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
}
