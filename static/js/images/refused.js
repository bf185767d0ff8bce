// Files that were not taken, carried from the page that uploaded them to the page of their group.
import { config, fill } from "../config.js";

const place = (groupId) => `refused:${groupId}`;

export function keepRefused(groupId, refused) {
  try {
    if (refused.length) sessionStorage.setItem(place(groupId), JSON.stringify(refused));
  } catch {
    // Without storage the group's page shows those that were taken, and no more.
  }
}

export function takeRefused(groupId, list) {
  let refused = [];
  try {
    refused = JSON.parse(sessionStorage.getItem(place(groupId))) ?? [];
    sessionStorage.removeItem(place(groupId));
  } catch {
    return;
  }
  for (const { name, why } of refused) {
    const text = fill(config.images.notTaken, { name, why });
    list.append(Object.assign(document.createElement("li"), { textContent: text }));
  }
  if (refused.length) list.hidden = false;
}
