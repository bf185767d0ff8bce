// The pages of workflows: one of them runs and lists them, the other shows one.
import * as both from "./js/both.js";
import { showHealth, showStream } from "./js/health.js";
import { follow } from "./js/stream.js";
import * as flow from "./js/workflows/flow.js";
import * as recent from "./js/workflows/recent.js";

const page = document.getElementById("workflow") ? flow : recent;

page.start();
both.start();
follow({
  tasks: ({ tasks }) => page.apply(tasks),
  health: showHealth,
  reset: page.reload,
  live: showStream,
  waits: page.waits,
});
