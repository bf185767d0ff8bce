// The table: rows change in place, and come and go only while nobody is at them.
import { config, plural, strings } from "../web/config.js";
import { number } from "../web/format.js";
import { ended, fillRow, isNews, makeRow, showTimes, shown } from "../web/row.js";
import * as zone from "../web/zone.js";

const byId = (id) => document.getElementById(id);
const body = byId("rows");
const template = byId("row");
const empty = byId("empty");
const older = byId("older");
const pill = byId("fresh");
const hovers = matchMedia("(hover: hover)");
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const rows = new Map();
const coming = new Map();
// A browser draws what has changed beyond its window as well: times run on only in the rows that can be seen.
const inView = new Set();
const watching = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    inView[isIntersecting ? "add" : "delete"](target);
    if (isIntersecting) showTimes(target);
  }
});
// The stream tells what has changed, not what was removed: fewer are left then than it has told of.
let told = config.total;
let newest = config.newestNum;
let refreshing = null;
let meanwhile = null;

export function start() {
  adopt();
  zone.start(body);
  body.addEventListener("mouseleave", () => settle());
  body.addEventListener("focusout", () => setTimeout(settle));
  pill.addEventListener("click", (event) => {
    if (!config.newest) {
      // In another order the newest page is this one: it is read again.
      if (pill.href === location.href) location.reload();
      return;
    }
    event.preventDefault();
    settle(true);
    byId("title-tasks").focus();
  });
  setInterval(tick, calm.matches ? 1000 : 100);
}

export function apply(tasks) {
  meanwhile?.push(...tasks);
  for (const task of tasks) {
    const row = rows.get(task.id);
    const known = coming.get(task.id);
    if (known && !isNews(known, task)) continue;
    if (row) {
      if (isNews(shown(row), task)) fillRow(row, task);
      row.toggleAttribute("data-leaving", !fits({ ...task, status: row.dataset.status }));
    } else if (fits(task) && task.num > (config.newest ? lowest() : config.newestNum)) {
      coming.set(task.id, task);
    } else {
      coming.delete(task.id);
    }
  }
  settle();
}

export function showCounts(tasks, counts, checks) {
  told += tasks.filter(({ num }) => num > newest).length;
  newest = Math.max(newest, ...tasks.map(({ num }) => num));
  if (total(counts) < told) refreshSoon();
  if (config.filter.method) {
    countsSoon();
  } else {
    const without = config.filter.without ? checks : {};
    writeCounts(Object.fromEntries(Object.entries(counts).map(([name, n]) => [name, n - (without[name] ?? 0)])));
  }
}

// The same page again, when too much was missed to follow or rows have left gaps. It waits until
// nobody is at the table; what happens between question and answer is told again afterwards.
export function refreshSoon() {
  refreshing ??= setTimeout(async () => {
    refreshing = null;
    if (inUse()) {
      refreshSoon();
      return;
    }
    meanwhile = [];
    const text = await fetch(location.href, { headers: { Accept: "text/html" } })
      .then((answer) => (answer.ok && !answer.redirected ? answer.text() : null))
      .catch(() => null);
    if (text) swap(new DOMParser().parseFromString(text, "text/html"));
    const missed = meanwhile;
    meanwhile = null;
    apply(missed);
  }, 500);
}

function swap(page) {
  body.replaceChildren(...page.getElementById("rows").children);
  empty.replaceChildren(...page.getElementById("empty").childNodes);
  const next = page.getElementById("older");
  older.hidden = next.hidden;
  if (next.href) older.href = next.href;
  for (const place of page.querySelectorAll("[data-count]")) {
    document.querySelector(`[data-count="${place.dataset.count}"]`).textContent = place.textContent;
  }
  coming.clear();
  ({ newestNum: config.newestNum, total: told } = JSON.parse(page.getElementById("config").textContent));
  newest = config.newestNum;
  zone.showMoments(body);
  adopt();
}

function adopt() {
  rows.clear();
  inView.clear();
  watching.disconnect();
  for (const row of body.children) keep(row);
}

function keep(row) {
  rows.set(row.dataset.taskId, row);
  watching.observe(row);
}

function lowest() {
  return rows.size < config.pageSize ? 0 : Number(body.lastElementChild.dataset.num);
}

function fits(task) {
  const { q, error, since, until, without } = config.filter;
  for (const name of ["method", "status", "kind", "worker"])
    if (config.filter[name] && task[name] !== config.filter[name]) return false;
  if (task.kind === without || (error && !task.error?.toLowerCase().includes(error))) return false;
  if ((since && task.created_at < since) || (until && task.created_at >= until)) return false;
  return !q || String(task.num) === q || task.id.startsWith(q);
}

function inUse() {
  return body.matches(":focus-within") || (hovers.matches && body.matches(":hover"));
}

function settle(now = false) {
  if (config.newest && (now || !inUse())) {
    for (const row of body.querySelectorAll("[data-leaving]")) drop(row);
    const newest = [...coming.values()].sort((a, b) => b.num - a.num).slice(0, config.pageSize);
    coming.clear();
    for (const task of newest) insert(task);
    while (rows.size > config.pageSize) {
      drop(body.lastElementChild);
      older.hidden = false;
    }
    if (!older.hidden && rows.size) {
      const address = new URL(older.href || location.href);
      address.searchParams.set("before", body.lastElementChild.dataset.num);
      address.hash = "tasks";
      older.href = address;
      if (rows.size < config.pageSize) refreshSoon();
    }
    empty.hidden = rows.size > 0;
  }
  pill.hidden = coming.size === 0;
  pill.textContent = plural(strings.new, coming.size, { n: number(coming.size) });
}

function insert(task) {
  const row = makeRow(template, task);
  const below = [...body.children].find((other) => Number(other.dataset.num) < task.num);
  body.insertBefore(row, below ?? null);
  keep(row);
}

function drop(row) {
  rows.delete(row.dataset.taskId);
  inView.delete(row);
  watching.unobserve(row);
  row.remove();
}

// What runs is followed closely. What waits may be a whole page, and wait for long: once a second is enough.
let ticks = 0;
function tick() {
  if (document.hidden) return;
  const all = calm.matches || ticks++ % 10 === 0;
  for (const row of inView) {
    const { status } = row.dataset;
    if (status === "IN_PROGRESS" || (all && !ended(status))) showTimes(row);
  }
}

let counting = null;
function countsSoon() {
  counting ??= setTimeout(async () => {
    counting = null;
    const address = `${config.tasksUrl}?limit=1&checks=${!config.filter.without}&method=${encodeURIComponent(config.filter.method)}`;
    const answer = await fetch(address).catch(() => null);
    if (answer?.ok) writeCounts((await answer.json()).counts);
  }, 500);
}

const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

function writeCounts(counts) {
  for (const [name, n] of Object.entries({ ...counts, all: total(counts) })) {
    const place = document.querySelector(`[data-count="${name}"]`);
    if (place) place.textContent = number(n);
  }
}
