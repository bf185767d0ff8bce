// Cancelling a group without leaving its page.
import { strings } from "../config.js";

export function cancelByScript(form, note) {
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" }, body });
      const { message, detail, ok } = await answer.json();
      note.textContent = message ?? detail;
      note.dataset.tone = ok ? "" : "error";
    } catch {
      note.textContent = strings.unreachable;
      note.dataset.tone = "error";
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
}
