// The strip under the header: what is up, what is down, how much waits.
import { config, fill, plural, strings } from "./config.js";
import { number } from "./format.js";

const strip = document.getElementById("health");
const announcer = document.getElementById("announcer");
const clock = new Intl.DateTimeFormat(config.language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
let heard = new Date();
let known = null;

export function showHealth(health) {
  setChip("store", health.store.up);
  setChip("broker", health.broker.up);
  setChip("celery", health.workers.celery, true);
  setChip("rabbitmq", health.workers.rabbitmq, true);
  for (const [method, n] of Object.entries(health.naive_workers)) showNaive(method, n);
  const letters = document.getElementById("letters-count");
  if (known !== null && health.dead_letters > known) announcer.textContent = fill(strings.letters, { n: number(health.dead_letters) });
  known = health.dead_letters;
  letters.hidden = !health.dead_letters;
  letters.textContent = number(health.dead_letters);
  for (const queue of health.queues) {
    const place = strip.querySelector(`[data-queue="${CSS.escape(queue.name)}"]`);
    if (place) place.textContent = queue.ready === null ? "–" : number(queue.ready);
  }
  const waiting = document.getElementById("waiting");
  waiting.hidden = !health.waiting || health.broker.up === true;
  waiting.textContent = plural(strings.waiting, health.waiting, { n: number(health.waiting) });
  const alarm = document.getElementById("alarm");
  alarm.hidden = !health.alarms.length;
  alarm.textContent = strings.alarm[health.alarms[0]] ?? "";
  const nowhere = document.getElementById("nowhere");
  nowhere.hidden = !health.nowhere;
  nowhere.querySelector("form").hidden = !health.undecided;
  nowhere.querySelector(".chip-value").textContent = plural(strings.nowhere, health.nowhere, { n: number(health.nowhere) });
}

// Naive workers are shown where there are any; the forms say so where there are none.
function showNaive(method, n) {
  setChip(`naive-${method}`, n, true);
  strip.querySelector(`[data-chip="naive-${method}"]`).hidden = !n;
  const form = document.getElementById(`form-${method}`);
  if (form) form.dataset.naive = n === null ? "unknown" : n ? "some" : "none";
}

// Whether what the header shows is as it is now; if not, since when it may be otherwise.
export function showStream(live) {
  document.body.toggleAttribute("data-stale", !live);
  const asOf = document.getElementById("as-of");
  if (live) heard = new Date();
  asOf.hidden = live;
  asOf.textContent = fill(strings.asOf, { time: clock.format(heard) });
  const chip = document.getElementById("stream");
  chip.hidden = false;
  set(chip, live ? "up" : "down", live ? strings.live : strings.reconnecting);
}

function setChip(name, value, count = false) {
  const chip = strip.querySelector(`[data-chip="${name}"]`);
  const state = value === null ? "unknown" : value ? "up" : "down";
  const text = !count ? strings[state] : value === null ? "?" : number(value);
  chip.title = strings[state];
  set(chip, state, text, strings[state]);
}

function set(chip, state, text, word = text) {
  chip.querySelector(".chip-value").textContent = text;
  if (chip.dataset.state === state) return;
  const before = chip.dataset.state;
  chip.dataset.state = state;
  chip.querySelector("use").setAttribute("href", `#i-${state}`);
  if (before !== "unknown" && !chip.hidden) {
    announcer.textContent = [chip.querySelector(".chip-name")?.textContent, word].filter(Boolean).join(": ");
  }
}
