// The form: shows what differs between the contenders as they are chosen, before anything runs.
import { renewKey } from "../web/key.js";

const PAUSE_MS = 350;
const WITHOUT = new Set(["csrf_token", "key", "title"]);
const MOST_VALUES = 1500; // an address may not be much longer: the first durations tell about how long they are

const form = document.getElementById("form-experiment");
const place = document.getElementById("differences");
let soon = null;
let asked = 0;

export function start() {
  form.querySelector("#show-differences").hidden = true;
  suit();
  form.addEventListener("input", () => {
    suit();
    clearTimeout(soon);
    soon = setTimeout(() => look().catch(() => undefined), PAUSE_MS);
  });
  renewKey(form);
  showFault();
}

// Jobs that come all at once come in a number; a time is for those that come at a rate.
function suit() {
  const time = form.querySelector("#amount-seconds");
  time.disabled = form.querySelector("#arrival-burst").checked;
  if (time.disabled && time.checked) form.querySelector("#amount-jobs").checked = true;
}

// What was refused may stand far below: the page goes there, and so does the keyboard.
function showFault() {
  const said = [...form.querySelectorAll("[data-error]")].find((one) => one.textContent.trim());
  if (!said) return;
  said.closest("details")?.setAttribute("open", "");
  const field = form.querySelector("[aria-invalid]") ?? said.closest("fieldset")?.querySelector("input");
  field?.focus({ preventScroll: true });
  said.scrollIntoView({ block: "center" });
}

async function look() {
  const mine = ++asked;
  const fields = [...new FormData(form)]
    .filter(([name]) => !WITHOUT.has(name))
    .map(([name, value]) => [name, name === "values" ? beginning(value) : value]);
  const address = `${form.dataset.differences}?${new URLSearchParams([["typed", "1"], ...fields])}`;
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected || mine !== asked) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  swap(place.querySelector("[data-differences-table]"), page.querySelector("[data-differences-table]"));
  swap(document.getElementById("estimate"), page.getElementById("estimate"));
}

function beginning(values) {
  return values.length > MOST_VALUES ? values.slice(0, MOST_VALUES).replace(/[^\s,;]*$/, "") : values;
}

function swap(mine, fresh) {
  if (mine && fresh && !mine.isEqualNode(fresh)) mine.replaceChildren(...fresh.childNodes);
}
