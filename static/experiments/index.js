// The pages of experiments: one starts and lists them, one shows one; the others have the live header alone.
import { showHealth, showStream } from "../web/health.js";
import { follow } from "../web/stream.js";
import * as form from "./form.js";
import { watch } from "../web/running.js";

const nothing = () => undefined;

const article = document.getElementById("experiment");
if (article) watch(article);
if (document.getElementById("form-experiment")) form.start();
// The stream tells of tasks, not of experiments; what it says of the lab's health goes for every page.
follow({ tasks: nothing, health: showHealth, reset: nothing, live: showStream });
