// The pages without scripts of their own: their header is live, and what is marked as `data-fresh` renews itself.
import { start } from "./fresh.js";
import { showHealth, showStream } from "./health.js";
import { follow } from "./stream.js";

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
