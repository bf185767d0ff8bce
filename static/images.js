// The pages of images: one of them sends groups and lists them, the other shows one.
import * as both from "./js/both.js";
import * as form from "./js/images/form.js";
import * as gallery from "./js/images/gallery.js";
import * as groups from "./js/images/groups.js";
import { showHealth, showStream } from "./js/health.js";
import { follow } from "./js/stream.js";

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
