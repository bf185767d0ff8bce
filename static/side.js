// Side by side: runs a feature in place and follows its tasks to their end; finds while one types.
const words = JSON.parse(document.getElementById("config").textContent);
const FOLLOW_MS = 500;
const PATIENCE_MS = 60_000;

async function run(event) {
  const place = event.target.closest("[data-run]");
  if (!place) return;
  event.preventDefault();
  const button = event.submitter;
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  say(place, words.running, "");
  place.querySelector("[data-outcome]").dataset.ended = "false";
  try {
    const body = new URLSearchParams(new FormData(event.target));
    const answer = await fetch(event.target.action, { method: "POST", headers: { Accept: "application/json" }, body });
    const { message, detail, ok } = await answer.json();
    say(place, message ?? detail, ok ? "" : "error");
    await follow(place);
  } catch {
    say(place, words.unreachable, "error");
  } finally {
    button.removeAttribute("aria-disabled");
  }
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

function say(place, text, tone) {
  const note = place.querySelector("[data-note]");
  note.textContent = text;
  note.dataset.tone = tone;
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
