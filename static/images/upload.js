// One file's way to the API. XMLHttpRequest, since fetch does not tell how much of a body has gone.
import { config } from "../web/config.js";

// Resolves to {image, completed}, to {refused: {code, message}}, or to {broken: true, why}, which may be tried again.
export function upload(file, onProgress) {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    const body = new FormData();
    body.append("files", file, file.name);
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total ? loaded / total : 0));
    request.addEventListener("load", () => resolve(outcome(request)));
    for (const name of ["error", "abort", "timeout"]) request.addEventListener(name, () => resolve({ broken: true }));
    request.open("POST", config.uploadUrl);
    request.setRequestHeader("Accept", "application/json");
    request.send(body);
  });
}

export async function inTurns(items, width, work) {
  const left = [...items];
  const next = async () => {
    for (let item = left.shift(); item; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, next));
}

function outcome({ status, responseText }) {
  const answer = parsed(responseText);
  if (status === 201 && answer?.images?.[0]) return { image: answer.images[0], completed: answer.completed.length > 0 };
  const fault = answer?.errors?.[0];
  if (status === 422 && fault) return { refused: { code: fault.code, message: fault.message } };
  return { broken: true, why: [429, 503, 507].includes(status) ? answer?.detail : null };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
