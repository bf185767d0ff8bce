// Cancelling, and sending again: the form `act` and its buttons, which without this file lead to a page.
import { strings } from "../web/config.js";
import { sendInPlace, tell } from "../web/send.js";

export function start(onTask) {
  const form = document.getElementById("act");
  form?.addEventListener("submit", (event) => {
    const button = event.submitter;
    const act = button?.dataset.act;
    if (!act) return;
    event.preventDefault();
    sendInPlace(form, button, {
      target: button.formAction,
      say,
      lost: strings.unreachable,
      then: ({ ok, task }) => {
        if (task) onTask(task, ok ? act : "");
      },
    });
  });
}

// Looked up each time: a page that is brought up to date brings another one.
function say(text, tone) {
  tell(document.getElementById("act"), text, tone);
}
