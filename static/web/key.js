// Keys by which the API knows a form that comes twice.

// randomUUID is for secure contexts only, and a lab may be looked at from another machine.
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Who comes back to the page and presses again wants another one.
export function renewKey(form) {
  addEventListener("pageshow", () => {
    form.elements.key.value = newKey();
  });
}
