// Parts of a page that are read again when something has happened: `data-fresh` tells what, "health" (what the header
// shows has changed), "tasks" (a task of one of `data-kinds` has moved) or "clock" (every fifteen seconds).
import { atMostOnceIn } from "./at_most.js";
import { bringUp } from "./bring_up.js";

const PERIOD_MS = 2000;
const CLOCK_MS = 15_000;

export function start() {
  const parts = [...document.querySelectorAll("[data-fresh]")];
  const some = (reason) => parts.some((part) => part.dataset.fresh.split(" ").includes(reason));
  const kinds = new Set(parts.flatMap((part) => (part.dataset.kinds ?? "").split(" ")));
  const read = atMostOnceIn(() => PERIOD_MS, readAgain);

  async function readAgain() {
    if (document.hidden) return;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts) {
      const fresh = page.getElementById(part.id);
      if (fresh) bringUp(part, fresh);
    }
  }

  if (some("clock")) setInterval(read, CLOCK_MS);
  if (parts.length) document.addEventListener("visibilitychange", read);
  // A form that is sent once: the second click of a double click asks for nothing more.
  for (const form of document.querySelectorAll("form[data-once]"))
    form.addEventListener("submit", (event) => {
      if ("sent" in form.dataset) event.preventDefault();
      form.dataset.sent = "";
    });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
  return {
    health: () => some("health") && read(),
    tasks: (tasks) => some("tasks") && tasks.some(({ kind }) => kinds.has(kind)) && read(),
  };
}
