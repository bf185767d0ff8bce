// What was said of files, carried from the page that uploaded them to the page of their group.
const place = (groupId) => `refused:${groupId}`;

export function keepNotes(groupId, notes) {
  try {
    if (notes.length) sessionStorage.setItem(place(groupId), JSON.stringify(notes));
  } catch {
    // Without storage the group's page shows those that were taken, and no more.
  }
}

export function takeNotes(groupId, list) {
  let notes = [];
  try {
    notes = JSON.parse(sessionStorage.getItem(place(groupId))) ?? [];
    sessionStorage.removeItem(place(groupId));
  } catch {
    return;
  }
  for (const textContent of notes) list.append(Object.assign(document.createElement("li"), { textContent }));
  if (notes.length) list.hidden = false;
}
