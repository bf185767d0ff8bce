// The form and the recent workflows. An event tells where tasks stand, not their workflows: the list is read
// again, at most once in a while, and what is on the page is changed in place.
const PERIOD_MS = 900;
const MOST = 20;

const list = document.getElementById("workflow-list");
const empty = document.getElementById("workflows-empty");
const form = document.getElementById("form-workflow");
let soon = null;

export function start() {
  // Who comes back to the page and presses again wants another one.
  addEventListener("pageshow", () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    form.elements.key.value = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  });
}

export function apply(tasks) {
  if (tasks.some((task) => task.workflow_id)) reload();
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
  for (const fresh of [...page.querySelectorAll("#workflow-list > [data-workflow-id]")]) {
    const old = list.querySelector(`[data-workflow-id="${CSS.escape(fresh.dataset.workflowId)}"]`);
    if (!old) {
      list.insertBefore(fresh, place);
      continue;
    }
    for (const part of fresh.querySelectorAll("[data-live]")) {
      const mine = old.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!mine.isEqualNode(part)) mine.replaceChildren(...part.childNodes);
    }
    place = old.nextElementSibling;
  }
  while (list.children.length > MOST && !list.lastElementChild.matches(":focus-within")) list.lastElementChild.remove();
  list.hidden = !list.children.length;
  empty.hidden = !list.hidden;
}
