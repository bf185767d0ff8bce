// One workflow. Where its steps stand comes by the stream and is shown in place; when there are new ones, or
// the whole has moved, the page is read again and what differs is put in.
import { atMostOnceIn } from "../web/at_most.js";
import { cancelByScript } from "../web/cancel.js";
import { config, fill } from "../web/config.js";
import { tell } from "../web/done.js";
import { duration, number, running } from "../web/format.js";
import { ended, fillStatus, isNews } from "../web/row.js";
import { showPicture } from "./picture.js";

const LEAST_MS = 250;
const TICK_MS = 200;
const byId = (id) => document.getElementById(id);
const page = byId("workflow");
const total = byId("total");
const latest = new Map();

let rows = new Map();
let read = performance.now();
let took = 0;

export function start() {
  rows = found();
  cancelByScript(byId("form-cancel"), byId("form-cancel"), reload);
  openTarget();
  addEventListener("hashchange", openTarget);
  setInterval(tick, TICK_MS);
}

export const waits = () => !page.hasAttribute("data-ended");

export function apply(tasks) {
  const mine = tasks.filter((task) => task.workflow_id === config.workflowId);
  if (!mine.length) return;
  for (const task of mine) latest.set(task.id, task);
  const known = mine.filter((task) => rows.has(task.id));
  showAll(known);
  const whole = page.dataset.status;
  const moved = mine.some(({ status, cancel_requested_at: asked }) => asked || status === "FAILED" || status === "CANCELLED");
  const over = [...rows.values()].every((row) => ended(row.dataset.status));
  if (known.length < mine.length || moved || over || whole === "PENDING") reload();
}

// A large workflow costs more to read: the more, the rarer.
export const reload = atMostOnceIn(
  () => Math.max(LEAST_MS, 4 * took),
  async () => {
    const began = performance.now();
    await readAgain();
    took = performance.now() - began;
  },
);

async function readAgain() {
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  const text = answer.ok && !answer.redirected ? await answer.text() : null;
  const fresh = text && new DOMParser().parseFromString(text, "text/html").getElementById("workflow");
  if (!fresh) return;
  const open = [...page.querySelectorAll("details[open]")].map(({ id }) => id);
  for (const part of page.querySelectorAll("[data-live]")) {
    const other = fresh.querySelector(`[data-live="${part.dataset.live}"]`);
    if (other && !part.isEqualNode(other)) put(part, other);
  }
  for (const id of open) byId(id)?.toggleAttribute("open", true);
  total.dataset.total = fresh.querySelector("#total").dataset.total;
  read = performance.now();
  rows = found();
  showWhole(fresh.dataset.status);
  // What has come while the page was under way is newer than it.
  showAll([...latest.values()].filter((task) => rows.has(task.id)));
}

// What has the focus keeps it, where it is still there.
function put(part, fresh) {
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const address = focused?.getAttribute("href");
  const list = focused?.closest("details")?.id;
  part.replaceChildren(...fresh.childNodes);
  if (!focused) return;
  const same = [...part.querySelectorAll(address ? `a[href="${CSS.escape(address)}"]` : `#${CSS.escape(list ?? "")} > summary`)];
  (same.find((one) => one.checkVisibility()) ?? page.querySelector("h1")).focus();
}

function showAll(tasks) {
  const changed = tasks.filter((task) => show(rows.get(task.id), task)).map((task) => rows.get(task.id));
  if (!changed.length) return;
  showPicture(page, rows, changed);
  const all = [...rows.values()];
  const done = all.filter((row) => row.dataset.status === "DONE").length;
  byId("counted").textContent = fill(config.workflows.counted, { done: number(done), all: number(all.length) });
  for (const list of new Set(changed.map((row) => row.closest("details")))) if (list) showCounted(list);
}

function show(row, task) {
  const { status, attempt } = row.dataset;
  if (!isNews({ status, attempt: Number(attempt), progress: 0 }, task)) return false;
  Object.assign(row.dataset, { status: task.status, attempt: task.attempt });
  fillStatus(row.querySelector(".badge-status"), task.status);
  const times = { waited: duration(task.waited), ran: duration(task.ran) };
  row.querySelector(".step-times").textContent = task.started_at ? fill(config.workflows.times, times) : "";
  row.querySelector(".step-told").textContent = task.error ?? "";
  return true;
}

function showCounted(list) {
  const inside = [...list.querySelectorAll(".flow-step")];
  const names = { done: number(inside.filter((row) => row.dataset.status === "DONE").length), all: number(inside.length) };
  list.querySelector(".step-counted").textContent = fill(config.workflows.counted, names);
}

function showWhole(status) {
  page.dataset.status = status;
  if (!ended(status) || page.hasAttribute("data-ended")) return;
  page.toggleAttribute("data-ended", true);
  total.textContent = duration(Number(total.dataset.total));
  const button = byId("form-cancel").querySelector("button");
  if (document.activeElement === button) page.querySelector("h1").focus();
  button.hidden = true;
  tell(fill(config.workflows.ended, { status }), status !== "DONE");
}

function tick() {
  if (page.hasAttribute("data-ended")) return;
  const text = running(Number(total.dataset.total) + (performance.now() - read) / 1000);
  if (total.textContent !== text) total.textContent = text;
}

function found() {
  return new Map([...page.querySelectorAll(".flow-step")].map((row) => [row.dataset.taskId, row]));
}

// A stack in the picture leads to its steps, which lie in a closed entry of the list.
function openTarget() {
  const target = location.hash.startsWith("#steps-") && byId(location.hash.slice(1));
  if (target?.tagName === "DETAILS") target.open = true;
}
