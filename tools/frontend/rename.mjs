// What a frontend does to a plan without altering a digit: node rename.mjs ENDPOINT USER DRAFT NAME
//
// Reads the draft's plan as text, changes its name, and prints the text to write back. The parser keeps each number as
// it is written. Beside it, for comparison: what JSON.parse makes of the same answer, and what a person is shown of a
// change of digits alone.

import { parse, stringify } from "lossless-json";

const [endpoint, user, id, name] = process.argv.slice(2);
const query = `query Plan($id: ID!) { draft(id: $id) {
  planData planDataText changes { path before after beforeText afterText } } }`;

const response = await fetch(endpoint, {
  method: "POST",
  headers: { "content-type": "application/json", "x-user-id": user },
  body: JSON.stringify({ query, variables: { id } }),
});
const { draft } = (await response.json()).data;

const plan = parse(draft.planDataText);
plan.name = name;
console.log(JSON.stringify({ text: stringify(plan), altered: JSON.stringify(draft.planData), changes: draft.changes }));
