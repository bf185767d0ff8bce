// The pages of the fault lab: a card's form, a run or the matrix while it goes on; the others have the live header alone.
import { showHealth, showStream } from "../web/health.js";
import { renewKey } from "../web/key.js";
import { watch } from "../web/running.js";
import { follow } from "../web/stream.js";

const nothing = () => undefined;
const article = document.getElementById("fault") ?? document.getElementById("fault-matrix");
const strength = document.getElementById("strength");

if (article) watch(article);
for (const form of document.querySelectorAll("form:has([name=key])")) renewKey(form);
strength?.addEventListener("input", () => {
  document.getElementById("strength-said").textContent = Number(strength.value).toLocaleString(document.documentElement.lang);
});
// The stream tells of tasks, not of runs; what it says of the lab's health goes for every page.
follow({ tasks: nothing, health: showHealth, reset: nothing, live: showStream });
