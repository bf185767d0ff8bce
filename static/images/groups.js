// The recent groups.
import { recentList } from "../web/recent.js";
import { copyBar } from "./bar.js";

export const reload = recentList({
  list: document.getElementById("groups"),
  empty: document.getElementById("groups-empty"),
  key: "data-group-id",
  period: 700,
  change(old, fresh) {
    copyBar(old.querySelector(".group-bar"), fresh.querySelector(".group-bar"));
    old.querySelector(".group-counted").textContent = fresh.querySelector(".group-counted").textContent;
  },
});

export function start() {}

export function apply(tasks) {
  if (tasks.some((task) => task.group_id)) reload();
}
