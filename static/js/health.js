// The strip under the header: what is up, what is down, how much waits.
import { plural, strings } from "./config.js";
import { number } from "./format.js";

const strip = document.getElementById("health");
const announcer = document.getElementById("announcer");

export function showHealth(health) {
  setChip("store", health.store.up);
  setChip("broker", health.broker.up);
  setChip("celery", health.workers.celery, true);
  setChip("rabbitmq", health.workers.rabbitmq, true);
  for (const [method, n] of Object.entries(health.naive_workers)) showNaive(method, n);
  const letters = document.getElementById("letters-count");
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

export function showStream(live) {
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
