// The JSON API: opens what an address or a link within the page leads to, and keeps the header live.
import { showHealth, showStream } from "./js/health.js";
import { follow } from "./js/stream.js";

function open() {
  const place = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (place?.matches("details")) {
    place.open = true;
    place.scrollIntoView();
  }
}

const nothing = () => undefined;
addEventListener("hashchange", open);
open();
follow({ tasks: nothing, health: showHealth, reset: nothing, live: showStream });
