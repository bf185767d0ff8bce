// The recent groups. An event tells where tasks stand, not their groups: the list is read again, at most
// once in a while, and what is on the page is changed in place.
import { copyBar } from "./bar.js";

const PERIOD_MS = 700;
const MOST = 20;

const list = document.getElementById("groups");
const empty = document.getElementById("groups-empty");
let soon = null;

export function start() {}

export function apply(tasks) {
  if (tasks.some((task) => task.group_id)) reload();
}

export function reload() {
  soon ??= setTimeout(async () => {
    const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } }).catch(() => null);
    const text = answer?.ok && !answer.redirected ? await answer.text().catch(() => null) : null;
    if (text) show(new DOMParser().parseFromString(text, "text/html"));
    soon = null;
  }, PERIOD_MS);
}

function show(page) {
  let place = list.firstElementChild;
  for (const fresh of [...page.querySelectorAll("#groups > [data-group-id]")]) {
    const old = list.querySelector(`[data-group-id="${CSS.escape(fresh.dataset.groupId)}"]`);
    if (old) {
      copyBar(old.querySelector(".group-bar"), fresh.querySelector(".group-bar"));
      old.querySelector(".group-counted").textContent = fresh.querySelector(".group-counted").textContent;
      place = old.nextElementSibling;
    } else {
      list.insertBefore(fresh, place);
    }
  }
  while (list.children.length > MOST && !list.lastElementChild.matches(":focus-within")) list.lastElementChild.remove();
  list.hidden = !list.children.length;
  empty.hidden = !list.hidden;
}
