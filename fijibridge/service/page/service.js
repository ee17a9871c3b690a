// The service's interface: the token goes with every request as a header, never into an address.

const KEY = "fijibridge-token";

export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Move a token from the address into this tab's storage, and tell whether there is one. */
export function takeToken() {
  const given = /^#token=([\w-]+)/.exec(location.hash);
  if (given) {
    sessionStorage.setItem(KEY, given[1]);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEY) !== null;
}

export function dropToken() {
  sessionStorage.removeItem(KEY);
}

async function ask(method, path, { body, signal } = {}) {
  const headers = { Authorization: `Bearer ${sessionStorage.getItem(KEY)}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("the service does not answer", 0);
  }
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    throw new Refused(said.error || `the service answered with ${answer.status}`, answer.status);
  }
  return answer;
}

export const get = async (path, signal) => (await ask("GET", path, { signal })).json();
export const text = async (path) => (await ask("GET", path)).text();
export const blob = async (path, signal) => (await ask("GET", path, { signal })).blob();
export const post = async (path, body) => (await ask("POST", path, { body })).json();
export const remove = async (path) => (await ask("DELETE", path)).json();

/** Follow a stream of server-sent events; EventSource could not send the token. */
export async function follow(path, onEvent, signal) {
  const answer = await ask("GET", path, { signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      if (event.startsWith("data: ")) onEvent(JSON.parse(event.slice(6)));
    }
  }
}

/** Save one of a job's files as the browser saves downloads. */
export async function download(path, name) {
  const address = URL.createObjectURL(await blob(path));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
