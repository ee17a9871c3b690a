// Elements are built, never parsed: names of files can hold anything and are only ever text.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element; `on…` are listeners, true and false are attributes set and left out. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Say something to those who cannot see it. */
export function say(words) {
  byId("said").textContent = words;
}

let numbers = 0;
export const freshId = (name) => `${name}-${(numbers += 1)}`;
