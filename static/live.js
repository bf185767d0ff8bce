// The pages without scripts of their own: their header is live, and what is marked as `data-fresh` renews itself.
import { start } from "./js/fresh.js";
import { showHealth, showStream } from "./js/health.js";
import { follow } from "./js/stream.js";

const fresh = start();

follow({
  tasks: ({ tasks }) => fresh.tasks(tasks),
  health(health) {
    showHealth(health);
    fresh.health();
  },
  reset: () => fresh.health(),
  live: showStream,
});
