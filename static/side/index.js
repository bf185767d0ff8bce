// Side by side: opens one feature at a time below its row, runs it in place and follows its tasks to their end; finds
// while one types, by the search that the form sends.
import { isBusy, sendInPlace, tell } from "../web/send.js";

const words = JSON.parse(document.getElementById("side-words").textContent);
const FOLLOW_MS = 500;
const PATIENCE_MS = 60_000;
const TYPING_MS = 200;

// The element `id` of the page at `address`; none where that page cannot be had.
async function part(address, id) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(id);
}

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
  while (performance.now() < until && place.isConnected) {
    const fresh = (await part(place.dataset.url, "feature"))?.querySelector("[data-outcome]");
    if (!fresh) return;
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

function followUnended(within) {
  const place = within.querySelector('[data-outcome][data-ended="false"]')?.closest("[data-run]");
  if (place) follow(place);
}

let opening = null;
function close() {
  opening = null;
  document.getElementById("open")?.remove();
  document.querySelector("[data-feature] [aria-expanded=true]")?.setAttribute("aria-expanded", "false");
}

async function open(link) {
  opening = link;
  const body = await part(link.href, "feature");
  if (opening !== link) return; // Another was asked for meanwhile.
  if (!body) {
    location.assign(link.href);
    return;
  }
  close();
  const place = Object.assign(document.createElement("tr"), { id: "open" });
  place.append(Object.assign(document.createElement("td"), { colSpan: 3 }));
  place.firstChild.append(body);
  const row = link.closest("tr");
  row.after(place);
  link.setAttribute("aria-expanded", "true");
  history.replaceState(null, "", `#${row.id}`);
  row.scrollIntoView({ block: "nearest" });
  followUnended(place);
}

function openAsked() {
  const row = document.getElementById(location.hash.slice(1));
  if (row?.matches("[data-feature]")) open(row.querySelector("a"));
}

function toggle(event) {
  const link = event.target.closest("[data-feature] a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (link.getAttribute("aria-expanded") === "true") close();
  else open(link);
}

let typing = null;
function find({ target }) {
  clearTimeout(typing);
  typing = setTimeout(async () => {
    const address = new URL(target.form.action);
    if (target.value.trim()) address.searchParams.set("q", target.value);
    const fresh = await part(address, "features");
    if (!fresh || target.value.trim() !== (address.searchParams.get("q") ?? "").trim()) return;
    history.replaceState(null, "", address);
    document.getElementById("features").replaceWith(fresh);
    prepare();
  }, TYPING_MS);
}

function prepare() {
  for (const link of document.querySelectorAll("[data-feature] a")) link.setAttribute("aria-expanded", "false");
}

document.addEventListener("submit", run);
document.addEventListener("click", toggle);
const search = document.getElementById("side-q");
search?.addEventListener("input", find);
if (search && search.value !== search.defaultValue) find({ target: search }); // typed before this script was there
prepare();
followUnended(document);
addEventListener("hashchange", openAsked);
openAsked();
