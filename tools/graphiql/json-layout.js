// A Prettier plug-in that lays out JSON with comments, in place of Prettier's own, which would bring
// a whole JavaScript parser into the page for the variables' and headers' panes.

import { applyEdits, format } from "jsonc-parser";

const FORMAT = "laid-out-json";

function layOut(text) {
  return applyEdits(text, format(text, undefined, { tabSize: 2, insertSpaces: true }));
}

export const parsers = {
  jsonc: {
    parse: (text) => ({ text }),
    astFormat: FORMAT,
    locStart: () => 0,
    locEnd: (node) => node.text.length,
  },
};

export const printers = {
  [FORMAT]: { print: (path) => layOut(path.node.text) },
};
