// "Send through all three": one press, a race to watch, and a sentence when it is over.
import { config, fill, plural, strings } from "../web/config.js";
import { exact, number, running } from "../web/format.js";
import { busy, clear } from "./forms.js";
import { newKey } from "../web/key.js";
import { ended } from "../web/row.js";
import { isBusy, post, tell } from "../web/send.js";

const TICK_MS = 100;
const ASK_MS = 2000; // where the stream is away, or tells of too many tasks to follow
const PATIENCE_S = 60;

const words = config.race;
const form = document.getElementById("form-all");
const place = document.getElementById("race");
let race = null;

export function start(onTasks) {
  const button = form.querySelector("button.send");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isBusy(button)) return;
    clear(form);
    const done = busy(button);
    await send(onTasks).catch(() => tell(form, strings.unreachable, "error"));
    done();
  });
  // After the way back to this page a press asks for another race.
  addEventListener("pageshow", () => (form.elements.key.value = newKey()));
}

export function apply(tasks) {
  if (!race) return;
  for (const task of tasks) {
    const lane = race.lanes.get(task.method);
    if (lane && (lane.tasks.has(task.id) || belongs(lane, task))) lane.tasks.set(task.id, task);
  }
  show();
}

async function send(onTasks) {
  const answer = await post(form);
  if (!answer.ok) {
    refuse(answer);
    return;
  }
  form.elements.key.value = newKey();
  race?.stop();
  race = new Race(answer.tasks);
  show();
  onTasks(answer.tasks);
  const { kind, timeout } = answer.tasks[0];
  await Promise.all(
    words.inRequest.map(async (method) => {
      const headers = { "Content-Type": "application/json", "Idempotency-Key": newKey() };
      const body = JSON.stringify({ method, kind, timeout, count: race.count });
      const found = await fetch(config.tasksUrl, { method: "POST", headers, body });
      const { tasks, detail } = await found.json();
      if (!tasks) return tell(form, fill(strings.failed, { reason: detail }), "error");
      race.lanes.get(method).tasks = new Map(tasks.map((task) => [task.id, task]));
      onTasks(tasks);
      show();
    }),
  );
}

function refuse({ errors, message, detail }) {
  for (const [name, text] of Object.entries(errors ?? {})) {
    const at = form.querySelector(`[data-error="${CSS.escape(name)}"]`);
    if (!at) continue;
    at.textContent = text;
    form.elements[name].setAttribute("aria-invalid", "true");
  }
  tell(form, message || detail || "", "error");
  form.querySelector("[aria-invalid]")?.focus();
}

class Race {
  constructor(tasks) {
    this.began = performance.now();
    this.timeout = tasks[0].timeout;
    this.lanes = new Map(Object.keys(words.names).map((method) => [method, { method, tasks: new Map() }]));
    for (const task of tasks) this.lanes.get(task.method).tasks.set(task.id, task);
    this.count = Math.max(...[...this.lanes.values()].map(({ tasks: own }) => own.size));
    this.newest = Math.max(...tasks.map((task) => task.num));
    this.over = false;
    this.timers = [setInterval(show, TICK_MS), setInterval(() => this.ask(), ASK_MS)];
    place.hidden = false;
    place.querySelector(".race-next").hidden = true;
    tell(place, "");
  }

  get seconds() {
    return (performance.now() - this.began) / 1000;
  }

  stop() {
    this.over = true;
    this.timers.forEach(clearInterval);
  }

  async ask() {
    for (const { method, tasks } of this.lanes.values()) {
      const nums = [...tasks.values()].filter(({ status }) => !ended(status)).map(({ num }) => num);
      if (!nums.length) continue;
      const query = new URLSearchParams({ method, limit: this.count, cursor: Math.max(...nums) + 1 });
      const answer = await fetch(`${config.tasksUrl}?${query}`).catch(() => null);
      if (answer?.ok && !this.over) apply((await answer.json()).tasks);
    }
  }
}

// The tasks of a request that still runs are known only once it is answered: until then they are told by what they are.
function belongs({ method, tasks }, task) {
  const like = task.timeout === race.timeout && task.num > race.newest;
  return like && words.inRequest.includes(method) && tasks.size < race.count;
}

const endsOf = ({ tasks }) =>
  [...tasks.values()].filter(({ status }) => ended(status)).map(({ total }) => total).sort((a, b) => a - b);

function show() {
  if (race.over) return;
  const { count, seconds } = race;
  const lanes = [...race.lanes.values()].map((lane) => ({ ...lane, ends: endsOf(lane) }));
  const over = lanes.every(({ ends }) => ends.length >= count) || seconds > PATIENCE_S + count * race.timeout;
  const longest = over ? Math.max(...lanes.map(({ ends }) => ends.at(-1) ?? seconds)) : Math.max(seconds, race.timeout);
  for (const { method, ends } of lanes) {
    const row = place.querySelector(`.race-lane[data-method="${method}"]`);
    const done = ends.length >= count;
    row.querySelector("progress").value = ends.length / count;
    row.querySelector(".race-told").textContent = fill(words.told, {
      done: number(ends.length),
      n: number(count),
      time: done ? exact(ends.at(-1)) : running(seconds),
    });
    place.querySelector(`polyline[data-method="${method}"]`).setAttribute("points", curve(ends, count, longest, seconds));
  }
  place.querySelector("[data-span]").textContent = running(longest);
  if (!over) return;
  race.stop();
  tell(place, sentence(lanes, seconds));
  place.querySelector(".race-next").hidden = false;
}

// Steps from the lower left corner: one up for each task that has ended, in per cent of the chart.
function curve(ends, count, longest, seconds) {
  const points = ["0,100"];
  for (const [i, end] of ends.entries()) {
    const x = (100 * Math.min(end, longest)) / longest;
    points.push(`${x},${100 - (100 * i) / count}`, `${x},${100 - (100 * (i + 1)) / count}`);
  }
  const now = ends.length < count ? Math.min(100, (100 * seconds) / longest) : 100;
  points.push(`${now},${100 - (100 * ends.length) / count}`);
  return points.join(" ");
}

function sentence(lanes, seconds) {
  const n = number(race.count);
  const through = lanes.filter(({ ends }) => ends.length >= race.count).sort((a, b) => a.ends.at(-1) - b.ends.at(-1));
  const first = through[0]?.ends.at(-1);
  const list = through.map(({ method, ends }, i) =>
    fill(i ? words.then : words.first, {
      method: words.names[method],
      time: exact(ends.at(-1)),
      more: exact(ends.at(-1) - first),
    }),
  );
  const said = list.length ? [plural(words.all, race.count, { n, list: list.join(", ") })] : [];
  for (const { method, tasks, ends } of lanes) {
    const names = { method: words.names[method], n };
    const wrong = [...tasks.values()].filter(({ status }) => ended(status) && status !== "DONE").length;
    if (wrong) said.push(fill(words.failed, { ...names, k: number(wrong) }));
    if (ends.length < race.count) {
      said.push(fill(words.late, { ...names, k: number(ends.length), time: running(seconds) }), words.hint);
    }
  }
  return said.join(" ");
}
