// The pages of workflows: one of them runs and lists them, the other shows one.
import * as both from "../web/both.js";
import { showHealth, showStream } from "../web/health.js";
import { follow } from "../web/stream.js";
import * as flow from "./flow.js";
import * as recent from "./recent.js";

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
