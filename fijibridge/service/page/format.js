// Words for numbers, times, files and states.

export const fileName = (path) => String(path).split(/[/\\]/).filter(Boolean).pop() || String(path);

export function duration(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (seconds < 600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function moment(seconds) {
  const then = new Date(seconds * 1000);
  const time = then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  if (then.toDateString() === new Date().toDateString()) return time;
  return `${then.toLocaleDateString([], { day: "numeric", month: "short", year: "numeric" })}, ${time}`;
}

export function number(value, digits = 4) {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en-US");
  const size = Math.abs(value);
  return size >= 1e6 || size < 1e-4 ? value.toExponential(digits - 1) : String(Number(value.toPrecision(digits)));
}

/** A length with its unit; nanometres of four digits read better as micrometres. */
export function length(value, units) {
  if (units === "nm" && value >= 1000) return `${number(value / 1000)} µm`;
  if (units === "um" && value < 1 && value > 0) return `${number(value * 1000)} nm`;
  return `${number(value)} ${{ nm: "nm", um: "µm", voxel: value === 1 ? "voxel" : "voxels" }[units]}`;
}

/** The largest of 1, 2, 5 times a power of ten that is not longer. */
export function roundLength(most) {
  const power = 10 ** Math.floor(Math.log10(most) + 1e-9);
  return [5, 2, 1].map((step) => step * power).find((step) => step <= most * (1 + 1e-9));
}

/** A parameter's name in words: `angle_deg` is an angle in degrees. */
export function words(name) {
  const unit = { deg: "°", nm: "nm", um: "µm" }[/_(deg|nm|um)$/.exec(name)?.[1]];
  return name.replace(/_(deg|nm|um)$/, "").replaceAll("_", " ") + (unit ? ` (${unit})` : "");
}

export const STATES = { queued: "waiting", running: "running", done: "done", failed: "failed", cancelled: "cancelled" };
export const isOver = (job) => ["done", "failed", "cancelled"].includes(job.state);

/** What a job works on, in one line. */
export function subject(job) {
  const first = ["volume", "recipe", "study"].map((name) => job.inputs[name]).find(Boolean);
  return first ? fileName(first) : Object.values(job.inputs).map(fileName)[0] || "simulated scans";
}

/** How long a job takes yet, or took. */
export function timing(job, now = Date.now() / 1000) {
  if (job.state === "queued") return "waits for its turn";
  if (job.state === "running") {
    const left = job.estimate_s === null ? "" : ` · about ${duration(job.estimate_s)} left`;
    return `${duration(now - job.started)} so far${left}`;
  }
  return job.started ? `took ${duration(job.ended - job.started)}` : "never ran";
}
