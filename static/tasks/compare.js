// The strip: the methods side by side over the tasks in view, which the server counts (api/tasks/compare.py). Figures
// change in place, so that nothing moves while they do.
import { atMostOnceIn } from "../web/at_most.js";
import { config } from "../web/config.js";

const LEAST_MS = 1000;
const SHARE = 10; // a tenth of the server's time at most is spent on one page
const KEPT = "compare-since";

const place = document.getElementById("compare");
const all = document.getElementById("compare-all");
let took = 0;

export const refresh = atMostOnceIn(() => Math.max(LEAST_MS, SHARE * took), read);

export function start() {
  all.parentElement.hidden = false;
  document.getElementById("compare-since").addEventListener("click", async () => {
    await read(); // the moment is by the server's clock, as the tasks' times are
    begin(place.dataset.now);
  });
  all.addEventListener("click", () => {
    document.getElementById("compare-since").focus();
    begin(null);
  });
  begin(sessionStorage.getItem(KEPT));
}

function begin(since) {
  if (since) sessionStorage.setItem(KEPT, since);
  else sessionStorage.removeItem(KEPT);
  all.hidden = !since;
  read();
}

async function read() {
  const query = new URLSearchParams(location.search);
  query.delete("before");
  const since = sessionStorage.getItem(KEPT);
  if (since) query.set("moment", since);
  query.set("part", "");
  const began = performance.now();
  const answer = await fetch(`${config.compareUrl}?${query}`).catch(() => null);
  if (!answer?.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("compare");
  took = performance.now() - began;
  if (since !== sessionStorage.getItem(KEPT)) return;
  show(fresh);
}

function show(fresh) {
  place.dataset.now = fresh.dataset.now;
  const parts = fresh.querySelectorAll("[data-live]");
  for (const [i, mine] of place.querySelectorAll("[data-live]").entries()) {
    const part = parts[i];
    if (part.hasAttribute("width")) mine.setAttribute("width", part.getAttribute("width"));
    else if (mine.textContent !== part.textContent) mine.textContent = part.textContent;
  }
}
