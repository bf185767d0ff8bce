// The form and the recent workflows.
import { renewKey } from "../web/key.js";
import { recentList } from "../web/recent.js";

export const reload = recentList({
  list: document.getElementById("workflow-list"),
  empty: document.getElementById("workflows-empty"),
  key: "data-workflow-id",
  period: 900,
  change(old, fresh) {
    for (const part of fresh.querySelectorAll("[data-live]")) {
      const mine = old.querySelector(`[data-live="${part.dataset.live}"]`);
      if (!mine.isEqualNode(part)) mine.replaceChildren(...part.childNodes);
    }
  },
});

export function start() {
  renewKey(document.getElementById("form-workflow"));
}

export function apply(tasks) {
  if (tasks.some((task) => task.workflow_id)) reload();
}
