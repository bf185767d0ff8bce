// The form: files go up one by one, and those that were taken are sent as one group.
import { config, fill, plural, strings } from "../web/config.js";
import { number } from "../web/format.js";
import { twoWays, typed } from "../web/number.js";
import { tell } from "../web/send.js";
import * as files from "./files.js";
import { keepNotes } from "./refused.js";
import { inTurns, upload } from "./upload.js";

const AT_ONCE = 3;
const byId = (id) => document.getElementById(id);
const form = byId("form-images");
const button = form?.querySelector("button.send");
const label = button?.textContent;

let busy = false;
const asked = new Map(); // by method
let turn = 0;

export function start() {
  files.start(() => ready(label));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!busy && isComplete()) send(event.submitter?.name === "both");
  });
  addEventListener("beforeunload", (event) => busy && event.preventDefault());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

async function send(byBoth) {
  let next = label;
  setBusy(true);
  try {
    await uploadAll();
    const left = files.toSend();
    const missing = left.filter((item) => !item.image);
    if (!left.length) {
      files.showFault(config.images.noneTaken);
      say("");
      byId("files").focus();
    } else if (missing.length) {
      say(plural(config.images.missing, missing.length, { n: number(missing.length) }), "error");
      next = config.images.tryAgain;
    } else {
      await (byBoth ? sendByBoth(left) : sendGroup(left));
    }
  } catch {
    say(strings.unreachable, "error");
  } finally {
    if (busy) {
      setBusy(false);
      ready(next);
    }
  }
}

async function uploadAll() {
  const waiting = files.toSend().filter((item) => !item.image);
  await inTurns(waiting, AT_ONCE, async (item) => {
    item.going = true;
    files.showItem(item);
    const { image, completed, refused, why } = await upload(item.file, (share) => {
      item.share = share;
      files.showItem(item);
      showWhole();
    });
    item.going = false;
    item.image = image ?? null;
    item.completed = Boolean(completed);
    item.share = image ? 1 : 0;
    if (refused) files.refuse(item, config.images.reasons[refused.code] ?? refused.message);
    else files.showItem(item, image ? "" : (why ?? config.images.broken));
    showWhole();
  });
}

async function sendGroup(items) {
  const data = await ask(items, form.elements.method.value);
  if (!data.group) {
    fail(data, items);
    return;
  }
  keepNotes(data.group.id, files.chosen().map(note).filter(Boolean));
  busy = false;
  location.assign(config.groupUrl.replace("ID", encodeURIComponent(data.group.id)));
}

// One group by each method, and the page that compares them.
async function sendByBoth(items) {
  const ids = [];
  for (const method of config.brokered) {
    const data = await ask(items, method);
    if (!data.group) {
      fail(data, items);
      return;
    }
    ids.push(data.group.id);
  }
  busy = false;
  location.assign(`${config.imagesUrl}?${new URLSearchParams({ both: ids.join(",") })}`);
}

async function ask(items, method) {
  say(config.images.grouping);
  const body = JSON.stringify({ method, images: items.map(({ image }) => image.id), operation: operation() });
  // Pressed again after no answer came, the same request keeps its key and is not sent twice.
  if (asked.get(method)?.body !== body) asked.set(method, { body, key: `${form.elements.key.value}-${(turn += 1)}` });
  const headers = { "Content-Type": "application/json", "Idempotency-Key": asked.get(method).key };
  const answer = await fetch(config.groupsUrl, { method: "POST", headers, body });
  return answer.json();
}

function note({ file: { name }, refused: why, completed }) {
  if (why) return fill(config.images.notTaken, { name, why });
  return completed ? fill(config.images.completed, { name }) : "";
}

function fail(problem, items) {
  const fault = problem.errors?.[0];
  if (fault?.code === "unknown") {
    for (const item of items) {
      if (fault.images.includes(item.image.id)) Object.assign(item, { image: null, share: 0 });
      files.showItem(item);
    }
    say(config.images.expired, "error");
    return;
  }
  const name = fault?.field.replace("operation.", "");
  if (config.images.faults[name] && form.elements[name]) showFieldFault(form.elements[name]);
  else say(fill(strings.failed, { reason: problem.detail ?? problem.title }), "error");
}

function operation() {
  const name = form.elements.operation.value;
  const field = config.takes[name];
  if (!field) return { name };
  const { value } = form.elements[field];
  return { name, [field]: field === "text" ? value.trim() : typed(value) };
}

function isComplete() {
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  for (const place of form.querySelectorAll("[data-error]")) place.textContent = "";
  say("");
  if (!files.toSend().length) {
    files.showFault(files.chosen().length ? config.images.noneTaken : config.images.faults.files);
    byId("files").focus();
    return false;
  }
  const input = form.elements[config.takes[form.elements.operation.value]];
  if (input && !fits(input)) {
    showFieldFault(input);
    return false;
  }
  return true;
}

function fits({ name, value }) {
  const { minimum, maximum } = config.bounds[name] ?? {};
  if (minimum === undefined) return value.trim() !== "";
  const read = typed(value);
  return Number.isFinite(read) && read >= minimum && read <= maximum;
}

function showFieldFault(input) {
  const text = twoWays(input.value) || config.images.faults[input.name];
  form.querySelector(`[data-error="${input.name}"]`).textContent = text;
  input.setAttribute("aria-invalid", "true");
  input.focus();
}

function showWhole() {
  const items = files.chosen().filter((item) => !item.refused);
  const bytes = items.reduce((sum, item) => sum + item.file.size, 0);
  const gone = items.reduce((sum, item) => sum + item.file.size * item.share, 0);
  byId("whole").querySelector("progress").value = bytes ? gone / bytes : 0;
  const done = items.filter((item) => item.image).length;
  say(fill(config.images.uploading, { done: number(done), all: number(items.length) }));
}

// The button keeps the focus while it is busy; `disabled` would throw it away.
function setBusy(yes) {
  busy = yes;
  files.lock(yes);
  byId("whole").hidden = !yes;
  if (!yes) {
    button.removeAttribute("aria-disabled");
    button.removeAttribute("aria-busy");
    return;
  }
  button.setAttribute("aria-disabled", "true");
  button.setAttribute("aria-busy", "true");
  ready(strings.sending);
  showWhole();
}

function ready(text) {
  button.textContent = text;
}

function say(text, tone) {
  tell(form, text, tone);
}
