// Numbers as people type them, read by the rules of api/web/numbers.py: a number, or the text for the server to refuse.
import { config, fill, strings } from "./config.js";

const NUMBER = /^[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d{1,3})?$/i;
const GROUPS = /^[+-]?\d{1,3}( \d{3})+([.,]\d+)?$/;
const THOUSAND = /^[+-]?[1-9]\d{0,2},\d{3}$/;
const PAIR = /^[+-]?\d+,\d+$/;

export function typed(text, { comma = strings.decimalComma } = {}) {
  const plain = plainly(text);
  if (!NUMBER.test(plain) || (!comma && THOUSAND.test(plain))) return text;
  const value = Number(plain.replace(",", "."));
  return Number.isFinite(value) ? value : text;
}

export function typedList(text, { comma = strings.decimalComma } = {}) {
  return text.split(/[\s;]+/).flatMap((part) => {
    const bare = part.replace(/^,+|,+$/g, "");
    const pieces = bare.split(",").length > 2 ? bare.split(",") : [bare];
    return pieces.filter(Boolean).map((piece) => (!comma && PAIR.test(plainly(piece)) ? piece : typed(piece, { comma })));
  });
}

// What to say of `text` where it can be read in two ways; nothing of any other.
export function twoWays(text) {
  const part = THOUSAND.test(plainly(text)) ? text.trim() : text.split(/[\s;]+/).find((one) => PAIR.test(plainly(one)));
  if (strings.decimalComma || !part) return "";
  const plain = plainly(part);
  const one = THOUSAND.test(plain) ? plain.replace(",", "") : plain.replace(",", " ");
  return fill(strings.twoWays, { typed: part, one, other: plain.replace(",", ".") });
}

function plainly(text) {
  const digits = text.replace(/\p{Nd}/gu, digit).trim().replace(/\u2212/g, "-").replace(/\u066b/g, ".").replace(/\s/g, " ");
  return GROUPS.test(digits) ? digits.replaceAll(" ", "") : digits;
}

// Decimal digits come in runs of ten, from each script's zero on; some runs follow each other.
function digit(sign) {
  const code = sign.codePointAt(0);
  let first = code;
  while (/^\p{Nd}$/u.test(String.fromCodePoint(first - 1))) first -= 1;
  return (code - first) % 10;
}
