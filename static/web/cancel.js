// Cancelling a group or a workflow without leaving its page; `place` has the note that tells what came of it.
import { strings } from "./config.js";
import { sendInPlace, tell } from "./send.js";

export function cancelByScript(form, place, then) {
  const button = form.querySelector("button");
  const say = (text, tone) => tell(place, text, tone);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sendInPlace(form, button, { say, lost: strings.unreachable, then });
  });
}
