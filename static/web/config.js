// What the server wrote into the page for its scripts.
export const config = JSON.parse(document.getElementById("config").textContent);
export const strings = config.strings;

const rules = new Intl.PluralRules(config.language);

export function fill(text, names) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => names[name] ?? whole);
}

export function plural(forms, n, names) {
  return fill(forms[rules.select(n)] ?? forms.other, names);
}
