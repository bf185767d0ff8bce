// Cancelling, and sending once more: the form `act` and its buttons, which without this file lead to a page.
import { strings } from "./config.js";

export function start(onTask) {
  const form = document.getElementById("act");
  form?.addEventListener("submit", async (event) => {
    const button = event.submitter;
    if (!button?.dataset.act) return;
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    const act = button.dataset.act;
    button.setAttribute("aria-disabled", "true");
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(button.formAction, { method: "POST", headers: { Accept: "application/json" }, body });
      const { message, detail, ok, task } = await answer.json();
      say(message ?? detail, ok ? "" : "error");
      if (task) onTask(task, ok ? act : "");
    } catch {
      say(strings.unreachable, "error");
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
}

// Found anew each time: a page that is brought up to date brings another one.
function say(text, tone) {
  const note = document.querySelector("#act [data-note]");
  note.textContent = text;
  note.dataset.tone = tone;
}
