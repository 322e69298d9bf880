// Answers as they came: JSON.parse makes 1500 of 1500.00 and rounds what is beyond 2^53. Browsers that know raw JSON
// (Chrome 114, Firefox 135, Safari 18.4 and later) keep such a number's own text, and write it so when they lay it out.

export function parseKeepingDigits(text) {
  if (typeof JSON.rawJSON !== "function") {
    return JSON.parse(text);
  }
  return JSON.parse(text, (_, value, context) =>
    typeof value === "number" && String(value) !== context.source ? JSON.rawJSON(context.source) : value,
  );
}
