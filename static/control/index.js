// The control page: brings itself up to date, counts the age of what it shows, and sends orders in place.
import { bringUp } from "../web/bring_up.js";
import { sendInPlace, tell } from "../web/send.js";

const place = document.getElementById("control");
const number = new Intl.NumberFormat(document.documentElement.lang);
const REFRESH_MS = 5000;
let loaded = performance.now();

async function refresh() {
  if (document.hidden) return;
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of ["#picture", ".seen"]) {
    const [mine, fresh] = [place.ownerDocument.querySelector(part), page.querySelector(part)];
    if (mine && fresh) bringUp(mine, fresh);
  }
  loaded = performance.now();
  showAge();
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
