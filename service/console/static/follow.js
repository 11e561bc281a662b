// Follows a job: its log goes into the steps' panes as it comes, its changes refresh the page.
import { connected } from "./fresh.js";
import { Pane } from "./pane.js";

const FINAL = new Set(["succeeded", "failed", "cancelled"]);
const SETTLE = 150; // milliseconds for which changes are gathered before the page is fetched again

/** Follows from the first event on, so that a reload loses nothing; after a cut, the browser goes on where it was. */
export function follow(main, refresh) {
  const panes = new Map();
  const seen = main.dataset.state; // as the page was made: what led there needs no refresh
  const source = new EventSource(`/v1/jobs/${main.dataset.job}/events`);
  let timer = null;

  function pane(step, attempt) {
    const key = step ?? "";
    if (!panes.has(key)) panes.set(key, new Pane(main, key));
    panes.get(key).begin(attempt);
    return panes.get(key);
  }

  function changed() {
    if (FINAL.has(seen)) return;
    timer ??= setTimeout(async () => {
      await refresh();
      timer = null;
      for (const one of panes.values()) one.attach();
    }, SETTLE);
  }

  function on(type, act) {
    source.addEventListener(type, (message) => {
      connected(true);
      const event = JSON.parse(message.data);
      act(event.body, event.attempt);
    });
  }

  on("log", (body, attempt) => pane(body.step, attempt).write(body.text));
  on("warning", (body, attempt) => pane(body.step, attempt).warn(body.message));
  on("progress", (body, attempt) => pane(body.step, attempt).progress(body));
  on("pushed", changed);
  on("step", (body, attempt) => {
    pane(body.step.number, attempt).status(body.step.status);
    changed();
  });
  on("state", (body) => {
    changed();
    if (!FINAL.has(body.state)) return;
    source.close();
    for (const one of panes.values()) one.end();
  });
  source.onerror = () => connected(false);
  source.onopen = () => connected(true);
}
