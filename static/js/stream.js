// Server-sent events. Browsers allow six connections to a host, and each open page holds one of
// them: a page that nobody sees gives its own back, and goes on later from where it was.
import { config } from "./config.js";

const RETRY_MS = 3000;
const GRACE_MS = 700;

export function follow(handlers) {
  let last = config.lastChange;
  let source = null;
  let again = null;
  let worry = null;

  function open() {
    clearTimeout(again);
    if (source || document.hidden) return;
    source = new EventSource(`${config.eventsUrl}?after=${last}`);
    source.addEventListener("open", () => say(true));
    source.addEventListener("error", () => {
      say(false);
      if (source?.readyState === EventSource.CLOSED) {
        close();
        again = setTimeout(open, RETRY_MS);
      }
    });
    for (const name of ["tasks", "health", "reset"]) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        handlers[name]?.(JSON.parse(event.data));
      });
    }
  }

  function close() {
    clearTimeout(again);
    source?.close();
    source = null;
  }

  function say(live) {
    clearTimeout(worry);
    if (live) handlers.live(true);
    else worry = setTimeout(() => handlers.live(false), GRACE_MS);
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
