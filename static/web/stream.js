// Server-sent events. Browsers allow six connections to a host, and each open page holds one of
// them: a page that nobody sees gives its own back, and goes on later from where it was, unless it waits for an end that
// it is to tell of.
import { config } from "./config.js";

const RETRY_MS = 3000;
const GRACE_MS = 700;
const SILENT_MS = 40_000; // the lab says something every fifteen seconds

export function follow(handlers) {
  let last = config.lastChange;
  let source = null;
  let again = null;
  let worry = null;
  let silence = null;

  const idle = () => document.hidden && !handlers.waits?.();

  function open() {
    clearTimeout(again);
    if (source || idle()) return;
    source = new EventSource(last === null ? config.eventsUrl : `${config.eventsUrl}?after=${last}`);
    source.addEventListener("open", heard);
    source.addEventListener("error", () => {
      say(false);
      if (source?.readyState === EventSource.CLOSED) {
        close();
        again = setTimeout(open, RETRY_MS);
      }
    });
    for (const name of ["tasks", "health", "reset", "ping"]) {
      source.addEventListener(name, (event) => {
        if (event.lastEventId) last = event.lastEventId;
        heard();
        handlers[name]?.(JSON.parse(event.data));
        if (idle()) close();
      });
    }
  }

  function close() {
    clearTimeout(again);
    clearTimeout(silence);
    source?.close();
    source = null;
  }

  // A connection may be dead without anybody having ended it.
  function heard() {
    clearTimeout(silence);
    say(true);
    silence = setTimeout(() => {
      say(false);
      close();
      open();
    }, SILENT_MS);
  }

  function say(live) {
    clearTimeout(worry);
    if (live) handlers.live(true);
    else worry = setTimeout(() => handlers.live(false), GRACE_MS);
  }

  document.addEventListener("visibilitychange", () => {
    if (idle()) close();
    else open();
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  open();
}
