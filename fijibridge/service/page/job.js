// One job: how it goes, and once it is over what it left.

import { download, follow, get, remove, text } from "./service.js";
import { h, say } from "./dom.js";
import { fileName, isOver, moment, STATES, subject, timing } from "./format.js";
import { fillForm } from "./form.js";
import { drawHistogram } from "./histogram.js";
import { chip } from "./list.js";
import { drawTable } from "./table.js";
import { showSlices } from "./viewer.js";

const changed = () => dispatchEvent(new Event("jobs-changed"));

/** Show a job in `main`, follow it while it runs, and give what ends that. */
export function showJob(main, id, known) {
  const gone = new AbortController();
  let viewer = null;
  let last = null;
  let clock = null;
  const head = h("div", { class: "job-head" });
  const left = h("div", { class: "left-behind" });
  main.replaceChildren(head, left);

  function update(job) {
    if (!job || gone.signal.aborted || (last && isOver(last))) return;
    const anew = last?.state !== job.state;
    if (anew && last) say(`${job.operation} of ${subject(job)}: ${STATES[job.state]}`);
    last = job;
    if (anew) {
      drawHead(head, job);
      clearInterval(clock);
      if (job.state === "running") clock = setInterval(() => drawProgress(head, last), 500);
    }
    drawProgress(head, job);
    if (anew && (isOver(job) || !viewer)) drawLeft(job);
  }

  async function drawLeft(job) {
    viewer?.close();
    viewer = null;
    left.replaceChildren();
    if (job.result?.report) left.append(await section("Report", () => report(job)));
    if (job.inputs.volume || job.result?.shows) {
      const waiting = h("p", { class: "soft" }, "Opening the volumes…");
      left.append(waiting);
      const found = await attempt(() => get(`/api/jobs/${id}/view`, gone.signal));
      waiting.remove();
      if (gone.signal.aborted || last !== job && isOver(last) && !isOver(job)) return;
      // Where the input cannot even be read, the job has said so already.
      if (found instanceof HTMLElement) left.append(...(job.state === "failed" ? [] : [heading("Orthoslices"), found]));
      else if (Object.keys(found).length) {
        viewer = showSlices(id, found);
        left.append(heading("Orthoslices"), viewer.root);
        if (isOver(job)) left.append(await section("Histogram", async () => drawHistogram(await get(`/api/jobs/${id}/histogram`, gone.signal), found)));
      }
    }
    // The list of jobs leaves tables out, and this job may come from it.
    const whole = isOver(job) ? await attempt(() => get(`/api/jobs/${id}`, gone.signal)) : job;
    if (gone.signal.aborted) return;
    if (whole.result?.table?.length) left.append(await section("Table", async () => drawTable(await get(`/api/jobs/${id}/table`), "Table of the job")));
    left.append(details(job));
  }

  async function watch() {
    try {
      const job = known || (await get(`/api/jobs/${id}`, gone.signal));
      update(job);
      if (!isOver(job)) await follow(`/api/jobs/${id}/events`, update, gone.signal);
      if (!isOver(job)) changed();
    } catch (error) {
      if (error.status >= 400 && !gone.signal.aborted) main.replaceChildren(h("p", { class: "error", role: "alert" }, error.message));
    }
  }
  watch();
  return { update, close: () => { gone.abort(); clearInterval(clock); viewer?.close(); } };
}

const heading = (words) => h("h3", {}, words);

/** Give what `make` makes, or the sentence that says why not. */
async function attempt(make) {
  try {
    return await make();
  } catch (error) {
    if (error.name === "AbortError") return h("p");
    return h("p", { class: "error" }, error.message);
  }
}

const section = async (title, make) => h("section", { "aria-label": title }, heading(title), await attempt(make));

function drawHead(head, job) {
  const files = job.result?.files || [];
  const again = () => { fillForm(job); location.hash = "#new"; };
  const actions = [];
  if (files.length) actions.push(saveButton(job, 0, "Download result", "primary"));
  if (job.result?.shows) actions.push(button("Use as input", () => { fillForm({ inputs: { volume: files[0] } }); location.hash = "#new"; }));
  if (isOver(job)) actions.push(button(job.state === "done" ? "Run with changes" : "Try again", again), button("Remove", () => forget(job)));
  else actions.push(button("Cancel", (event) => cancel(job, event.currentTarget), "danger"));
  const hadFocus = head.contains(document.activeElement);
  head.replaceChildren(
    h("h2", { tabindex: -1 }, h("span", {}, job.operation), " ", h("span", { class: "of clip", title: subject(job) }, subject(job)), " ", chip(job.state)),
    h("p", { class: "soft", "data-role": "timing" }),
    h("div", { class: "actions" }, actions),
    job.state === "running" || job.state === "queued"
      ? h("div", { class: "progress" }, h("progress", { max: 1, "aria-label": "Progress" }), h("output", {}), h("span", { class: "soft", "data-role": "message" })) : "",
    job.error ? h("p", { class: "error", role: "alert" }, job.error) : "");
  if (hadFocus) head.querySelector("h2").focus();
}

function drawProgress(head, job) {
  const bar = head.querySelector("progress");
  if (bar) {
    if (job.state === "running") bar.value = job.progress;
    head.querySelector("output").textContent = `${Math.round(100 * job.progress)} %`;
    head.querySelector("[data-role=message]").textContent = job.message;
  }
  const line = head.querySelector("[data-role=timing]");
  if (line) line.textContent = `${job.engine === "fiji" ? "ImageJ" : "Python"} · started ${moment(job.started || job.created)} · ${timing(job)}`;
}

const button = (words, onclick, kind = "") => h("button", { type: "button", class: `button ${kind}`, onclick }, words);

function saveButton(job, file, words, kind) {
  const name = fileName(job.result.files[file]);
  return button(words, async (event) => {
    const pressed = event.currentTarget;
    pressed.disabled = true;
    await tell(pressed, () => download(`/api/jobs/${job.id}/result?file=${file}`, name));
    pressed.disabled = false;
  }, kind);
}

async function cancel(job, pressed) {
  pressed.disabled = true;
  await tell(pressed, () => remove(`/api/jobs/${job.id}`));
  changed();
}

function forget(job) {
  const inFolder = (job.result?.files || []).length > 0 && !job.output;
  const dialog = h("dialog", { "aria-label": "Remove the job", onclose: () => dialog.remove() },
    h("p", {}, `Remove ${job.operation} of ${subject(job)} from the list?`),
    inFolder ? h("p", {}, "Its result lies in the service's own folder and is deleted with it.") : null,
    h("div", { class: "actions" },
      button("Remove", (event) => tell(event.currentTarget, async () => {
        await remove(`/api/jobs/${job.id}?forget=true`);
        dialog.close();
        location.hash = "#";
        changed();
      }), "danger"),
      button("Keep", () => dialog.close())));
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector("button:last-child").focus();
}

/** Do something for a button, and say beside it what went wrong. */
async function tell(pressed, act) {
  pressed.parentNode.querySelector(".error")?.remove();
  try {
    await act();
  } catch (error) {
    pressed.parentNode?.append(h("span", { class: "error", role: "alert" }, error.message));
  }
}

/** The report in a frame that may run nothing and load nothing. */
async function report(job) {
  const frame = h("iframe", { sandbox: "", title: `Report of ${job.operation}`, class: "report", srcdoc: await text(`/api/jobs/${job.id}/report`) });
  const large = button("Whole screen", () => frame.requestFullscreen());
  return h("div", {}, frame, h("div", { class: "actions" }, large));
}

function details(job) {
  const line = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const files = (job.result?.files || []).map((path, at) =>
    h("div", { class: "file" }, h("code", {}, path), saveButton(job, at, "Download"), copyButton(path)));
  const parameters = Object.entries(job.parameters).map(([name, value]) => line(name, value === null ? "automatic" : h("code", {}, JSON.stringify(value))));
  return h("section", { "aria-label": "Details" }, heading("Details"), h("dl", {},
    Object.entries(job.inputs).map(([name, path]) => line(name, h("code", {}, path))),
    job.spacing ? line("voxel size", `${job.spacing.join(" × ")} ${job.units} (z, y, x), as given`) : null,
    parameters,
    files.length ? line("files", files) : job.output ? line("output", h("code", {}, job.output)) : null,
    line("job", h("code", {}, job.id))));
}

function copyButton(path) {
  return button("Copy path", async (event) => {
    const pressed = event.currentTarget;
    await tell(pressed, () => navigator.clipboard.writeText(path));
    say("Path copied");
  });
}
