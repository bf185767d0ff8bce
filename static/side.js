// Side by side: runs a feature in place and follows its tasks to their end; finds while one types.
import { isBusy, sendInPlace, tell } from "./js/send.js";

const words = JSON.parse(document.getElementById("side-words").textContent);
const FOLLOW_MS = 500;
const PATIENCE_MS = 60_000;

function run(event) {
  const place = event.target.closest("[data-run]");
  if (!place) return;
  event.preventDefault();
  const button = event.submitter;
  if (isBusy(button)) return;
  const say = (text, tone) => tell(place, text, tone);
  say(words.running);
  place.querySelector("[data-outcome]").dataset.ended = "false";
  sendInPlace(event.target, button, { say, lost: words.unreachable, then: () => follow(place) });
}

async function follow(place) {
  const until = performance.now() + PATIENCE_MS;
  while (performance.now() < until) {
    const answer = await fetch(place.dataset.url, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-outcome]");
    show(place.querySelector("[data-outcome]"), fresh);
    if (fresh.dataset.ended !== "false") return;
    await new Promise((done) => setTimeout(done, FOLLOW_MS));
  }
}

// What was opened stays open, what was closed closed.
function show(mine, fresh) {
  const before = [...mine.querySelectorAll("details")];
  [...fresh.querySelectorAll("details")].forEach((one, i) => (one.open = before[i]?.open ?? one.open));
  if (mine.isEqualNode(fresh)) return;
  mine.dataset.ended = fresh.dataset.ended;
  mine.replaceChildren(...fresh.childNodes);
}

function find({ target }) {
  const wanted = target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const feature of document.querySelectorAll("[data-feature]")) {
    const text = `${feature.querySelector("h2").textContent} ${feature.textContent}`.toLowerCase();
    const fits = wanted.every((word) => text.includes(word));
    feature.hidden = !fits;
    document.querySelector(`[data-row="${feature.dataset.feature}"]`).hidden = !fits;
  }
}

document.addEventListener("submit", run);
for (const place of document.querySelectorAll("[data-run]"))
  if (place.querySelector('[data-outcome][data-ended="false"]')) follow(place).catch(() => undefined);
const box = document.getElementById("side-q");
if (box && !box.value) box.addEventListener("input", find);
