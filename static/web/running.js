// What runs, an experiment or a fault: asks each second how far it is and puts that in place; when it has begun or
// ended, or what it runs with is known, the whole article.
import { config } from "./config.js";
import { tell } from "./done.js";

const PERIOD_MS = 1000;
const HIDDEN_MS = 10_000; // nobody looks, but the end is to be told
let article = null;

export function watch(place) {
  article = place;
  if (document.getElementById("now")) setTimeout(again, PERIOD_MS);
}

async function again() {
  const going = await look().catch(() => true);
  if (going) setTimeout(again, document.hidden ? HIDDEN_MS : PERIOD_MS);
}

async function look() {
  const now = document.getElementById("now");
  const answer = await fetch(now.dataset.url, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return true;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("now");
  const further = ["status", "setting"].some((name) => fresh.dataset[name] !== now.dataset[name]);
  if (further) return !(await whole());
  const share = fresh.querySelector("progress").getAttribute("value");
  if (share !== null) now.querySelector("progress").setAttribute("value", share);
  for (const part of fresh.querySelectorAll("[data-live]")) {
    const mine = now.querySelector(`[data-live="${part.dataset.live}"]`);
    if (!mine.isEqualNode(part)) mine.replaceChildren(...part.childNodes);
  }
  return true;
}

// Returns whether the page shows what has ended.
async function whole() {
  const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return false;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(article.id);
  const moved = article.contains(document.activeElement);
  for (const name of ["data-status", "data-ended"])
    fresh.hasAttribute(name) ? article.setAttribute(name, fresh.getAttribute(name)) : article.removeAttribute(name);
  article.replaceChildren(...fresh.childNodes);
  if (moved) article.querySelector("h1").focus();
  const ended = article.hasAttribute("data-ended");
  if (ended) tell(config.ended, article.dataset.status !== "DONE");
  return ended;
}
