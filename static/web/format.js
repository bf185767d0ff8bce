// Numbers as the server writes them in this language (api/web/i18n.py).
import { config, strings } from "./config.js";

const plain = new Intl.NumberFormat(config.language);
const tenths = new Intl.NumberFormat(config.language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const thousandths = new Intl.NumberFormat(config.language, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
const NBSP = "\u00a0";

export const number = (value) => plain.format(value);

export function duration(value) {
  if (value === null) return "–";
  if (value < 0.9995) return `${Math.round(value * 1000)}${NBSP}${strings.ms}`;
  return running(value);
}

// A running clock keeps one unit: going from 900 ms to 1.0 s, it would jump.
export const running = (value) => `${tenths.format(value)}${NBSP}${strings.s}`;

export const seconds = (value) => (value === null ? "–" : `${plain.format(value)}${NBSP}${strings.s}`);

export const exact = (value) => `${thousandths.format(value)}${NBSP}${strings.s}`;
