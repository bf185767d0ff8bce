// The same by both methods: read again each second, until both have ended.
const PERIOD_MS = 1000;

export function start() {
  const place = document.getElementById("both");
  if (place && !("ended" in place.dataset)) setTimeout(() => again(place), PERIOD_MS);
}

async function again(place) {
  const answer = document.hidden ? null : await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  const fresh =
    answer?.ok && !answer.redirected
      ? new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("both")
      : null;
  if (fresh) show(place, fresh);
  if (!fresh || !("ended" in fresh.dataset)) setTimeout(() => again(place), PERIOD_MS);
}

function show(place, fresh) {
  const parts = fresh.querySelectorAll("[data-live]");
  for (const [i, mine] of place.querySelectorAll("[data-live]").entries()) {
    if (mine.matches("progress")) Object.assign(mine, { max: parts[i].max, value: parts[i].value });
    else if (mine.textContent !== parts[i].textContent) mine.textContent = parts[i].textContent;
  }
}
