// The page of one task: follows it until it has ended.
import * as act from "./act.js";
import { config } from "../web/config.js";
import * as done from "../web/done.js";
import { showHealth, showStream } from "../web/health.js";
import { follow } from "../web/stream.js";

const place = document.getElementById("task");
let { status, attempt, cancelled } = config;

let asked = 0;

async function reload() {
  const mine = ++asked;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const text = answer.ok && !answer.redirected ? await answer.text() : null;
  if (!text || mine !== asked) return;
  const page = new DOMParser().parseFromString(text, "text/html");
  const fresh = page.getElementById("task");
  place.dataset.status = fresh.dataset.status;
  const focused = place.contains(document.activeElement);
  // What was said stays, and so does the place that says it.
  fresh.querySelector("[data-note]").replaceWith(place.querySelector("[data-note]"));
  place.replaceChildren(...fresh.childNodes);
  act.start(onAct);
  if (focused) (place.querySelector(".act") ?? place.querySelector("h1")).focus();
}

function onAct(task, done) {
  if (done === "retry") location.assign(config.taskUrl.replace("ID", encodeURIComponent(task.id)));
  else reload().catch(() => undefined);
}

act.start(onAct);
done.expect([{ id: config.taskId, status }]);

follow({
  tasks({ tasks }) {
    done.note(tasks);
    const task = tasks.find(({ id }) => id === config.taskId);
    if (!task) return;
    const asked = task.cancel_requested_at !== null;
    if (task.status !== status || task.attempt !== attempt || asked !== cancelled) {
      ({ status, attempt } = task);
      cancelled = asked;
      reload().catch(() => undefined);
    } else {
      place.querySelector("progress").value = task.progress;
    }
  },
  health: showHealth,
  reset() {
    reload().catch(() => undefined);
    done.catchUp();
  },
  waits: done.waits,
  live: showStream,
});
