// The page: which view is shown, and the list of jobs kept current.

import { dropToken, get, takeToken } from "./service.js";
import { byId, h } from "./dom.js";
import { isOver } from "./format.js";
import { showForm } from "./form.js";
import { showJob } from "./job.js";
import { drawFilter, drawList, passes } from "./list.js";

const BUSY_MS = 1000;
const QUIET_MS = 4000;
const LOST_MS = 2500;

let jobs = [];
let shown = null; // what the main part holds: { key, close, update }
let asleep = null;

function notice(title, ...paragraphs) {
  byId("app").hidden = true;
  byId("new-job").hidden = true;
  byId("notice").replaceChildren(h("h2", {}, title), ...paragraphs.map((words) => h("p", {}, words)));
  byId("notice").hidden = false;
}

function noToken(why) {
  notice(why, "Open the whole address that fijibridge serve prints; it ends in #token= and a long word.",
    h("span", {}, "In a terminal: ", h("code", {}, "fijibridge serve")));
}

function ended() {
  notice("The service has ended", "Finished jobs and their results are kept. Start it again, and open the address that it prints:",
    h("code", {}, "fijibridge serve"));
}

function wanted() {
  const [, kind, id] = /^#(job|new)(?:=(\w+))?/.exec(location.hash) || [];
  if (kind === "job") return { view: "job", key: `job ${id}`, id };
  if (kind === "new" || jobs.length === 0) return { view: kind ? "new" : "list", key: "new" };
  const first = jobs.find(passes) || jobs[0];
  // Where nothing is chosen and there is room beside the list, the job on show stays as newer ones come.
  const stays = shown?.id && jobs.some((job) => job.id === shown.id) ? shown.id : first.id;
  return { view: "list", key: `job ${stays}`, id: stays };
}

function show() {
  const want = wanted();
  byId("app").dataset.view = want.view;
  if (shown?.key !== want.key) {
    shown?.close?.();
    const main = byId("main");
    const made = want.id ? showJob(main, want.id, jobs.find((job) => job.id === want.id)) : showForm(main);
    shown = { ...made, key: want.key, id: want.id };
    window.scrollTo(0, 0);
  }
  drawList(jobs, shown.id);
}

/** Ask for the list again now, as after a job was started. */
export async function refresh() {
  clearTimeout(asleep);
  let pause = LOST_MS;
  try {
    const [status, found] = await Promise.all([get("/api/status"), get("/api/jobs")]);
    jobs = found;
    byId("about").textContent = `${status.version} · ${status.jobs.running} running, ${status.jobs.queued} waiting`;
    byId("notice").hidden = true;
    byId("new-job").hidden = false;
    byId("app").hidden = false;
    show();
    shown.update?.(jobs.find((job) => job.id === shown.id));
    pause = jobs.some((job) => !isOver(job)) ? BUSY_MS : QUIET_MS;
  } catch (error) {
    if (error.status === 401) {
      dropToken();
      noToken("The token is of another start of the service");
      return;
    }
    if (error.status === undefined) throw error;
    ended();
  }
  // A page that nobody sees asks for nothing, so that an idle service may end.
  if (!document.hidden) asleep = setTimeout(refresh, pause);
}

function start() {
  if (!takeToken()) {
    noToken("This page needs its token");
    return;
  }
  drawFilter(show);
  refresh();
}

addEventListener("hashchange", () => {
  if (location.hash.startsWith("#token=")) start();
  else if (location.hash !== "#main") {
    show();
    byId("main").focus({ preventScroll: true });
  }
});
document.addEventListener("visibilitychange", () => document.hidden || (takeToken() && refresh()));
addEventListener("jobs-changed", () => refresh());
start();
