// Sending a form without leaving its page. Without scripts it is sent as a form.
export const isBusy = (button) => button.getAttribute("aria-disabled") === "true";

// Says `text` where `place` has its note.
export function tell(place, text, tone = "") {
  const note = place.querySelector("[data-note]");
  note.textContent = text;
  note.dataset.tone = tone;
}

// Resolves to the JSON that the lab answers, whatever its status.
export async function post(form, target = form.action) {
  const body = new URLSearchParams(new FormData(form));
  const answer = await fetch(target, { method: "POST", headers: { Accept: "application/json" }, body });
  return answer.json();
}

// Sends `form` once, however often `button` is pressed meanwhile. `say(text, tone)` tells what the lab answered,
// or `lost` where it did not; the button keeps busy until `then`, which gets the answer, is through.
export async function sendInPlace(form, button, { target, say, lost, then }) {
  if (isBusy(button)) return;
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await post(form, target);
    say(answer.message ?? answer.detail, answer.ok ? "" : "error");
    await then?.(answer);
  } catch {
    say(lost, "error");
  } finally {
    button.removeAttribute("aria-disabled");
  }
}
