// The page of one task: follows it until it has ended.
import { config } from "./js/config.js";
import { showHealth, showStream } from "./js/health.js";
import { follow } from "./js/stream.js";

const place = document.getElementById("task");
let { status, attempt } = config;

let asked = 0;

async function reload() {
  const mine = ++asked;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const text = answer.ok ? await answer.text() : null;
  if (!text || mine !== asked) return;
  const page = new DOMParser().parseFromString(text, "text/html");
  const fresh = page.getElementById("task");
  place.dataset.status = fresh.dataset.status;
  place.replaceChildren(...fresh.childNodes);
}

follow({
  tasks({ tasks }) {
    const task = tasks.find(({ id }) => id === config.taskId);
    if (!task) return;
    if (task.status !== status || task.attempt !== attempt) {
      ({ status, attempt } = task);
      reload().catch(() => undefined);
    } else {
      place.querySelector("progress").value = task.progress;
    }
  },
  health: showHealth,
  reset: () => reload().catch(() => undefined),
  live: showStream,
});
