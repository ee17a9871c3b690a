// The list of jobs; rows are kept as they are while they change, so that the focus stays where it is.

import { byId, h } from "./dom.js";
import { isOver, moment, STATES, subject } from "./format.js";

const FILTERS = {
  all: ["All", () => true],
  active: ["Active", (job) => !isOver(job)],
  failed: ["Failed", (job) => job.state === "failed"],
  reports: ["Reports", (job) => Boolean(job.result?.report)],
};
const NONE = {
  all: "No jobs yet. Start one here, from Fiji's menu, or from Python.",
  active: "Nothing runs or waits.",
  failed: "No job failed.",
  reports: "No reports yet: prepare, compare and study leave one.",
};
const rows = new Map();
let filter = "all";

export const passes = (job) => FILTERS[filter][1](job);

export function drawFilter(changed) {
  const choice = ([name, [label]]) =>
    h("label", {}, h("input", {
      type: "radio", name: "filter", value: name, checked: name === filter,
      onchange: () => { filter = name; changed(); },
    }), h("span", {}, label));
  byId("filter").replaceChildren(h("legend", { class: "quiet" }, "Show"), ...Object.entries(FILTERS).map(choice));
}

export function drawList(jobs, chosen) {
  const seen = jobs.filter(passes);
  const list = byId("jobs");
  const wanted = seen.map((job) => row(job, chosen));
  if (wanted.length !== list.children.length || wanted.some((each, at) => each !== list.children[at])) {
    list.replaceChildren(...wanted);
  }
  byId("no-jobs").textContent = NONE[filter];
  byId("no-jobs").hidden = seen.length > 0;
}

function row(job, chosen) {
  let made = rows.get(job.id);
  if (!made) {
    made = h("li", {}, h("a", { href: `#job=${job.id}` }));
    rows.set(job.id, made);
  }
  const link = made.firstChild;
  const look = `${job.state} ${job.progress}`;
  if (link.dataset.look !== look) {
    link.dataset.look = look;
    link.replaceChildren(...inside(job));
  }
  if (job.id === chosen) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
  return made;
}

function inside(job) {
  const percent = Math.round(100 * job.progress);
  return [
    h("span", { class: "line" },
      h("strong", {}, job.operation), chip(job.state, job.state === "running" ? `${percent} %` : undefined)),
    h("span", { class: "line soft" },
      h("span", { class: "clip", title: subject(job) }, subject(job)), h("span", {}, moment(job.created))),
    job.state === "running" && h("progress", { max: 1, value: job.progress, "aria-hidden": "true" }),
  ].filter(Boolean);
}

export const chip = (state, words = STATES[state]) => h("span", { class: `chip ${state}` }, words);
