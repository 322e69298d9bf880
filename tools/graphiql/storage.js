// The browser's storage for GraphiQL, without the headers that its history would write down: they may carry a token.

const HISTORIES = ["graphiql:queries", "graphiql:favorites"];

function ours() {
  return Object.keys(localStorage).filter((key) => key.startsWith("graphiql:"));
}

function withoutHeaders(value) {
  return JSON.stringify(JSON.parse(value), (key, part) => (key === "headers" ? undefined : part));
}

export const storage = {
  get length() {
    return ours().length;
  },
  clear: () => ours().forEach((key) => localStorage.removeItem(key)),
  getItem: (key) => localStorage.getItem(key),
  removeItem: (key) => localStorage.removeItem(key),
  setItem: (key, value) => localStorage.setItem(key, HISTORIES.includes(key) ? withoutHeaders(value) : value),
};
