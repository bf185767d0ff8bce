// The pages of images: one of them sends groups and lists them, the other shows one.
import * as both from "../web/both.js";
import * as form from "./form.js";
import * as gallery from "./gallery.js";
import * as groups from "./groups.js";
import { showHealth, showStream } from "../web/health.js";
import { follow } from "../web/stream.js";

const page = document.getElementById("gallery") ? gallery : groups;

if (page === groups) form.start();
page.start();
both.start();
follow({
  tasks: ({ tasks }) => page.apply(tasks),
  health: showHealth,
  reset: page.reload,
  live: showStream,
  waits: page.waits,
});
