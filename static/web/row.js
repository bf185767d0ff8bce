// One row of the table: made from the page's template, filled from a task of the JSON API.
import { config, fill, strings } from "./config.js";
import { duration, running, seconds } from "./format.js";
import { showMoment } from "./zone.js";

const RANK = { PENDING: 0, IN_PROGRESS: 1, RETRYING: 2, DONE: 3, FAILED: 3, CANCELLED: 3 };
const received = new WeakMap();

export const ended = (status) => RANK[status] === 3;

// Answers and events overtake each other; a task only ever moves forward, as in the store.
export function isNews(old, task) {
  if (ended(old.status)) return false;
  if (task.attempt !== old.attempt) return task.attempt > old.attempt;
  const step = RANK[task.status] - RANK[old.status];
  return step > 0 || (step === 0 && task.progress >= old.progress);
}

export function shown(row) {
  const { status, attempt } = row.dataset;
  return { status, attempt: Number(attempt), progress: row.querySelector("progress").value };
}

export function makeRow(template, task) {
  const row = template.content.firstElementChild.cloneNode(true);
  row.dataset.taskId = task.id;
  row.dataset.num = task.num;
  const link = cell(row, "num").querySelector("a");
  link.href = config.taskUrl.replace("ID", encodeURIComponent(task.id));
  link.textContent = `#${task.num}`;
  const job = cell(row, "job");
  const plain = task.kind === "process_task";
  const asked = task.timeout === null ? "" : seconds(task.timeout);
  job.querySelector(".job-seconds").textContent = plain ? asked : "";
  const kind = job.querySelector(".job-kind");
  const href = whole(task);
  if (href) kind.href = href;
  kind.hidden = plain;
  kind.firstElementChild.textContent = plain ? "" : task.kind;
  const about = job.querySelector(".job-about");
  about.textContent = about.title = plain ? "" : [asked, task.about].filter(Boolean).join(" · ");
  const sent = cell(row, "sent").querySelector("time");
  sent.dateTime = task.created_at;
  showMoment(sent);
  const badge = row.querySelector(".badge-method");
  badge.dataset.method = row.dataset.method = task.method;
  badge.textContent = config.labels[task.method] ?? task.method;
  row.querySelector('[data-tag="naive"]').hidden = task.delivery !== "naive";
  fillRow(row, task);
  return row;
}

// What the task is a part of, if anything.
function whole({ group_id: group, workflow_id: workflow }) {
  if (group) return config.groupUrl.replace("ID", encodeURIComponent(group));
  return workflow && config.workflowUrl.replace("ID", encodeURIComponent(workflow));
}

export function fillRow(row, task) {
  Object.assign(row.dataset, { attempt: task.attempt, waited: task.waited ?? "", ran: task.ran ?? "", total: task.total ?? "" });
  received.set(row, performance.now());
  if (row.dataset.status !== task.status) row.dataset.status = task.status;
  fillStatus(row.querySelector(".badge-status"), task.status);
  row.toggleAttribute("data-cancel", task.cancel_requested_at !== null);
  const more = row.querySelector(".more");
  more.textContent = more.title = moreOf(task);
  const progress = row.querySelector("progress");
  progress.value = task.progress;
  progress.hidden = Boolean(task.error);
  const error = row.querySelector(".row-error");
  error.textContent = error.title = task.error ?? "";
  fillAct(row.querySelector(".act"), task);
  const worker = cell(row, "worker").firstElementChild;
  worker.textContent = task.worker ?? "–";
  worker.title = task.worker ?? "";
  showTimes(row);
}

// The second line of a status, as templates/web/_row.html writes it.
function moreOf(task) {
  if (task.cancel_requested_at && !ended(task.status)) return strings.cancelRequested;
  return task.attempt > 1 ? fill(strings.attempt, { n: task.attempt }) : "";
}

function fillAct(button, task) {
  const again = task.status === "FAILED" || task.status === "CANCELLED";
  const act = again ? "retry" : task.status === "DONE" || task.cancel_requested_at ? "" : "cancel";
  if (button.dataset.act === act && button.formAction.includes(task.id)) return;
  const [word, name] = strings.act[act || "cancel"];
  const focused = document.activeElement === button;
  button.dataset.act = act;
  button.hidden = !act;
  button.formAction = (again ? config.retryUrl : config.cancelUrl).replace("ID", encodeURIComponent(task.id));
  button.title = word;
  button.setAttribute("aria-label", fill(name, { num: task.num }));
  button.querySelector(".act-word").textContent = word;
  button.querySelector("use").setAttribute("href", `#a-${act || "cancel"}`);
  if (focused && !act) cell(button.closest("tr"), "num").querySelector("a").focus();
}

export function fillStatus(badge, status) {
  badge.dataset.status = status;
  badge.title = config.meanings[status] ?? "";
  badge.querySelector("use").setAttribute("href", `#s-${status}`);
  badge.querySelector(".word").textContent = status;
}

// Times that still run are what the server said, plus what has passed since.
export function showTimes(row) {
  const { status } = row.dataset;
  const waits = status === "PENDING";
  const runs = status === "IN_PROGRESS";
  if (!received.has(row)) received.set(row, performance.now());
  const passed = (performance.now() - received.get(row)) / 1000;
  write(row, "waited", waits, passed);
  write(row, "ran", runs, passed);
  write(row, "total", !ended(status), passed);
}

function write(row, name, live, passed) {
  const known = row.dataset[name] === "" ? null : Number(row.dataset[name]);
  const text = live && known !== null ? running(known + passed) : duration(known);
  const place = cell(row, name);
  if (place.textContent !== text) place.textContent = text;
}

function cell(row, name) {
  return row.querySelector(`[data-cell="${name}"]`);
}
