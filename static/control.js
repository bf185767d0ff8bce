// The control page: brings itself up to date, counts the age of what it shows, and sends orders in place.
import { sendInPlace, tell } from "./js/send.js";

const place = document.getElementById("control");
const number = new Intl.NumberFormat(document.documentElement.lang);
const REFRESH_MS = 5000;
let loaded = performance.now();

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of ["#picture", ".seen", "#health"]) {
    const [mine, fresh] = [place.ownerDocument.querySelector(part), page.querySelector(part)];
    if (mine && fresh) bringUp(mine, fresh);
  }
  loaded = performance.now();
  showAge();
}

// Changes `mine` into `fresh` where they differ, and no more: what is open stays open, what has the focus keeps it.
function bringUp(mine, fresh) {
  if (mine.isEqualNode(fresh)) return;
  if (mine.nodeType === Node.TEXT_NODE) {
    mine.data = fresh.data;
    return;
  }
  for (const { name, value } of fresh.attributes) if (mine.getAttribute(name) !== value) mine.setAttribute(name, value);
  for (const { name } of [...mine.attributes]) {
    const ours = name === "open" || name === "aria-disabled";
    if (!ours && !fresh.hasAttribute(name)) mine.removeAttribute(name);
  }
  const kept = new Set();
  let next = mine.firstChild;
  for (const child of [...fresh.childNodes]) {
    const old = like(child, mine, next, kept);
    if (!old) {
      mine.insertBefore(child, next);
      kept.add(child);
      continue;
    }
    kept.add(old);
    if (old === next) next = next.nextSibling;
    else mine.insertBefore(old, next);
    bringUp(old, child);
  }
  for (const child of [...mine.childNodes]) if (!kept.has(child)) child.remove();
}

// The child of `mine` that stands for `child`: the one with its key, or the next one of its sort without a key.
function like(child, mine, next, kept) {
  const key = child.dataset?.key;
  if (key !== undefined) return [...mine.children].find((one) => one.dataset.key === key && !kept.has(one));
  const same = next && next.nodeName === child.nodeName && next.dataset?.key === undefined;
  return same ? next : null;
}

function showAge() {
  const age = document.getElementById("age");
  if (!age) return;
  const seconds = Number(age.dataset.seconds) + (performance.now() - loaded) / 1000;
  age.textContent = `${number.format(Math.round(seconds))} ${place.dataset.unit}`;
}

function send(event) {
  const form = event.target;
  if (!("orders" in form.dataset)) return;
  event.preventDefault();
  const button = event.submitter;
  sendInPlace(form, button, {
    target: button.hasAttribute("formaction") ? button.formAction : form.action,
    say: (text, tone) => tell(place, text, tone),
    lost: place.dataset.lost,
    then: () => {
      // What an order changes is looked at a little later.
      for (const wait of [2500, 4500]) setTimeout(quietly(refresh), wait);
    },
  });
}

// The lab may be away for a while: the age says so.
const quietly = (work) => () => work().catch(() => undefined);

document.addEventListener("submit", send);
document.addEventListener("visibilitychange", quietly(refresh));
setInterval(showAge, 1000);
setInterval(quietly(refresh), REFRESH_MS);
