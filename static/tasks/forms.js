// The forms, sent without leaving the page. Without this file they are sent as forms.
import { config, fill, plural, strings } from "../web/config.js";
import { number, running } from "../web/format.js";
import { newKey } from "../web/key.js";
import { twoWays, typed as read, typedList } from "../web/number.js";
import { isBusy, post, tell } from "../web/send.js";

const NO_NUMBER = /^(float|int)_/;

export function start(onTasks) {
  for (const form of document.querySelectorAll(".task-form")) new TaskForm(form, onTasks);
  const receive = document.getElementById("form-receive");
  receive.addEventListener("submit", (event) => {
    event.preventDefault();
    receiveOne(receive, onTasks);
  });
}

class TaskForm {
  constructor(form, onTasks) {
    this.form = form;
    this.onTasks = onTasks;
    this.button = form.querySelector("button.send");
    this.unanswered = null;
    // The second click of a double click asks for nothing more, even where the first was answered in between.
    this.button.addEventListener("click", (event) => {
      if (event.detail > 1) event.preventDefault();
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (!isBusy(this.button)) this.send();
    });
  }

  async send() {
    const body = JSON.stringify(this.read());
    // Pressed again after no answer came, the same request keeps its key and is not sent twice.
    if (this.unanswered?.body !== body) this.unanswered = { body, key: newKey() };
    const inRequest = this.form.elements.method.value === "sync";
    clear(this.form);
    const done = busy(this.button, inRequest ? strings.running : null);
    if (!inRequest) tell(this.form, strings.sending);
    try {
      const headers = { "Content-Type": "application/json", "Idempotency-Key": this.unanswered.key };
      const answer = await fetch(config.tasksUrl, { method: "POST", headers, body });
      const data = await answer.json();
      this.unanswered = null;
      if (answer.ok) this.succeed(data.tasks, inRequest);
      else this.fail(data);
    } catch {
      tell(this.form, strings.unreachable, "error");
    } finally {
      done();
    }
  }

  read() {
    const { method, kind, timeout, count, numbers, times, time_limit: limit, delivery } = this.form.elements;
    const wanted = { method: method.value, kind: kind.value, count: typed(count) };
    if (this.form.querySelector("[data-function]:checked")) wanted.params = this.params(kind.value);
    else if (kind.value === "process_data") wanted.numbers = typedList(numbers.value);
    else wanted.timeout = typed(timeout);
    if (kind.value === "flaky_task") wanted.times = typed(times);
    if (kind.value === "hanging_task") wanted.time_limit = typed(limit);
    if (delivery) wanted.delivery = delivery.value;
    for (const name of ["countdown", "expires", "priority"]) {
      const input = this.form.elements[name];
      if (input) wanted[name] = typed(input);
    }
    return wanted;
  }

  // What was typed into the fields of a function, as its parameters take it.
  params(kind) {
    const found = {};
    for (const input of this.form.querySelectorAll(`[name^="${CSS.escape(kind)}."]`)) {
      const name = input.name.slice(kind.length + 1);
      if (input.dataset.type === "boolean") found[name] = input.checked;
      else if (input.dataset.type === "string") found[name] = input.value;
      else if (input.dataset.type === "array") found[name] = typedList(input.value);
      else found[name] = typed(input);
    }
    return found;
  }

  succeed(tasks, inRequest) {
    const names = { n: number(tasks.length), first: tasks[0].num, last: tasks.at(-1).num };
    tell(this.form, plural(inRequest ? strings.ran : strings.sent, tasks.length, names));
    this.onTasks(tasks);
  }

  fail(problem) {
    const strange = [];
    for (const fault of problem.errors ?? []) {
      const field = fault.field.split(".")[0];
      const own = `${this.form.elements.kind.value}.${field}`;
      const name = own in this.form.elements ? own : field;
      const place = this.form.querySelector(`[data-error="${CSS.escape(name)}"]`);
      if (!place) strange.push(fault.message);
      else {
        const input = this.form.elements[name];
        const doubt = NO_NUMBER.test(fault.code) && twoWays(input.value);
        place.textContent = doubt || (config.errors[fault.code] ?? config.errors[name] ?? fault.message);
        input.setAttribute("aria-invalid", "true");
        if (place.closest("details")) place.closest("details").open = true;
      }
    }
    if (!problem.errors?.length) strange.push(problem.detail ?? problem.title);
    tell(this.form, strange.length ? fill(strings.failed, { reason: strange.join("; ") }) : "", "error");
    this.form.querySelector("[aria-invalid]")?.focus();
  }
}

export function clear(form) {
  tell(form, "");
  for (const place of form.querySelectorAll("[data-error]")) place.textContent = "";
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

async function receiveOne(form, onTasks) {
  const button = form.querySelector("button");
  if (isBusy(button)) return;
  const done = busy(button);
  tell(form, strings.receiving);
  try {
    const { message, detail, ok, task } = await post(form, config.receiveUrl);
    tell(form, message ?? detail, ok ? "" : "error");
    if (task) onTasks([task]);
  } catch {
    tell(form, strings.unreachable, "error");
  } finally {
    done();
  }
}

// An empty field is left out.
function typed(input) {
  return input.value.trim() === "" ? undefined : read(input.value);
}

// The button keeps the focus while it is busy; `disabled` would throw it away.
export function busy(button, clockText = null) {
  const label = button.textContent;
  const began = performance.now();
  const show = () => (button.textContent = fill(clockText, { seconds: running((performance.now() - began) / 1000) }));
  const timer = clockText && setInterval(show, 100);
  if (clockText) show();
  button.setAttribute("aria-disabled", "true");
  button.setAttribute("aria-busy", "true");
  return () => {
    clearInterval(timer);
    button.textContent = label;
    button.removeAttribute("aria-disabled");
    button.removeAttribute("aria-busy");
  };
}
