// When tasks were sent: in the zone of the browser or in UTC, as was chosen; the other one is told on hover.
import { config } from "./config.js";

const KEY = "zone";
const choices = document.getElementById("zone");
let zone = read();

const inZone = (options, where = zone) =>
  new Intl.DateTimeFormat(config.language, { ...options, timeZone: where === "utc" ? "UTC" : undefined });
const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const day = { day: "numeric", month: "short" };
let short, dated, whole, other;

export function start(root) {
  choices.hidden = false;
  choices.addEventListener("click", (event) => {
    const chosen = event.target.closest("[data-zone]")?.dataset.zone;
    if (!chosen) return;
    moveFields(() => (zone = chosen));
    keep(chosen);
    show(root);
  });
  moveFields(() => undefined, "utc");
  show(root);
  // What is empty is not sent, and times are sent in UTC.
  document.getElementById("find").addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) {
      if (!value) formData.delete(name);
      else if (name === "since" || name === "until") formData.set(name, new Date(atOf(value)).toISOString());
    }
  });
}

export function showMoments(root) {
  for (const place of root.querySelectorAll("td time")) showMoment(place);
}

export function showMoment(place) {
  if (!short) prepare();
  const at = new Date(place.dateTime);
  const text = short.day.format(at) === short.day.format(new Date()) ? short.clock.format(at) : dated.format(at);
  if (place.textContent !== text) place.textContent = text;
  place.title = `${whole.format(at)} · ${other.format(at)}`;
}

function show(root) {
  prepare();
  for (const button of choices.querySelectorAll("[data-zone]"))
    button.setAttribute("aria-pressed", String(button.dataset.zone === zone));
  for (const place of document.querySelectorAll("[data-zone-name]")) place.textContent = zone === "utc" ? "UTC" : "";
  showMoments(root);
}

function prepare() {
  short = { clock: inZone(clock), day: inZone({ ...day, year: "numeric" }) };
  dated = inZone({ ...day, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const full = { ...day, ...clock, year: "numeric", timeZoneName: "short" };
  const away = zone === "utc" ? "local" : "utc";
  // UTC first, whichever is shown.
  [whole, other] = zone === "utc" ? [inZone(full), inZone(full, away)] : [inZone(full, away), inZone(full)];
}

// The fields of the filter keep the moment that they name when the zone changes.
function moveFields(change, from = zone) {
  const fields = [...document.querySelectorAll("input[type=datetime-local]")];
  const moments = fields.map((field) => field.value && atOf(field.value, from));
  change();
  fields.forEach((field, i) => {
    if (!moments[i]) return;
    const shift = zone === "utc" ? 0 : new Date(moments[i]).getTimezoneOffset() * 60_000;
    field.value = new Date(moments[i] - shift).toISOString().slice(0, 19);
  });
}

const atOf = (value, from = zone) => Date.parse(from === "utc" ? `${value}Z` : value);

function read() {
  try {
    return localStorage.getItem(KEY) === "utc" ? "utc" : "local";
  } catch {
    return "local";
  }
}

function keep(chosen) {
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // A browser that keeps nothing shows what it was told until the page is left.
  }
}
