// Choose a file or folder among those that the service may use.

import { get } from "./service.js";
import { h } from "./dom.js";

export function openBrowser(status, typed, choose) {
  const list = h("ul", { class: "entries" });
  const place = h("p", { class: "place" });
  const fault = h("p", { class: "error", role: "alert", hidden: true });
  const take = h("button", { type: "button", class: "button" }, "Take this folder");
  const dialog = h("dialog", { class: "browser", "aria-label": "Choose a file", onclose: () => dialog.remove() },
    h("h2", {}, "Choose a file"), place, fault, list,
    h("div", { class: "actions" }, take, h("button", { type: "button", class: "button", onclick: () => dialog.close() }, "Close")));
  let here = null;
  take.addEventListener("click", () => finish(here));

  function finish(path) {
    dialog.close();
    choose(path);
  }

  async function go(path) {
    try {
      const found = path === null ? null : await get(`/api/folders?path=${encodeURIComponent(path)}`);
      here = path;
      draw(found);
    } catch (error) {
      fault.textContent = error.message;
      fault.hidden = false;
      if (list.children.length === 0 && path !== null) await go(null);
      return;
    }
    fault.hidden = true;
    list.querySelector("button")?.focus();
  }

  function draw(found) {
    place.textContent = found ? found.path : "Folders that the service may use";
    take.hidden = !found;
    const top = found ? [entry("up", "..", () => go(found.parent))] : [...status.folders, status.inbox].map((path) => entry("folder", path, () => go(path)));
    const inside = (found?.entries || []).map(({ name, path, folder }) => entry(folder ? "folder" : "file", name, () => (folder ? go(path) : finish(path))));
    list.replaceChildren(...top, ...inside);
    if (found?.left_out) list.append(h("li", { class: "soft" }, `and ${found.left_out} more; type the path of those`));
  }

  document.body.append(dialog);
  dialog.showModal();
  const folder = typed.replace(/[/\\][^/\\]*$/, "");
  go(folder && folder !== typed ? folder : null);
}

const entry = (kind, name, onclick) =>
  h("li", {}, h("button", { type: "button", class: `entry ${kind}`, onclick }, h("span", { class: "quiet" }, kind === "up" ? "one folder up" : kind), name));
