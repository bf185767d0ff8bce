// What this page sent has ended: told in its title, to screen readers, and by a notification where that is allowed.
import { config, plural, strings } from "./config.js";
import { number } from "./format.js";
import { ended } from "./row.js";

const MOST_ASKED = 200;
const title = document.title;
const waited = new Set();
let total = 0;
let failed = 0;

export const waits = () => waited.size > 0;

// Tasks that were just sent, or are being looked at.
export function expect(tasks) {
  const open = tasks.filter((task) => !ended(task.status));
  if (!waits()) total = failed = 0;
  for (const { id } of open) waited.add(id);
  total += open.length;
  if (open.length) offer();
}

export function note(tasks) {
  if (!waits()) return;
  for (const { id, status } of tasks) {
    if (!ended(status) || !waited.delete(id)) continue;
    if (status !== "DONE") failed += 1;
  }
  if (waits() || !total) return;
  const text = plural(strings.over.all, total, { n: number(total) });
  tell(failed ? `${text}, ${plural(strings.over.failed, failed, { n: number(failed) })}` : text, failed > 0);
  total = 0;
}

// Too much was missed to follow: those that are still waited for are asked for one by one.
export async function catchUp() {
  for (const id of [...waited].slice(0, MOST_ASKED)) {
    const answer = await fetch(`${config.tasksUrl}/${encodeURIComponent(id)}`).catch(() => null);
    if (answer?.ok) note([await answer.json()]);
    else waited.delete(id);
  }
}

export function tell(text, bad = false) {
  document.title = `${bad ? "✗" : "✓"} ${text} · ${title}`;
  document.getElementById("announcer").textContent = text;
  if (!document.hidden && document.hasFocus()) setTimeout(restore, 8000);
  else if (mayNotify("granted")) new Notification(title, { body: text, tag: location.pathname });
}

function restore() {
  document.title = title;
}

const mayNotify = (answer) => window.isSecureContext && "Notification" in window && Notification.permission === answer;

// Browsers let a page ask only when somebody presses something.
function offer() {
  const button = document.getElementById("notify");
  if (!button || !mayNotify("default")) return;
  button.hidden = false;
  button.onclick = async () => {
    await Notification.requestPermission();
    button.hidden = true;
  };
}

addEventListener("focus", () => setTimeout(restore, 3000));
