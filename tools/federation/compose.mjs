// Composes the subgraph on standard input with another one, by each composer; prints {composer: [errors]} as JSON.
import { readFileSync } from "node:fs";
import apollo from "@apollo/composition";
import { composeServices as hive } from "@theguild/federation-composition";
import { federateSubgraphs, ROUTER_COMPATIBILITY_VERSION_ONE } from "@wundergraph/composition";
import { parse } from "graphql";

const plans = parse(readFileSync(0, "utf-8"));
// Adds to what we publish by its key, refers to a task and a plan's version, and shares nothing else.
const members = parse(`
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])
  type Query { member(id: ID!): Member }
  type Member @key(fields: "id") { id: ID! draft: Draft task: Task enrolledIn: PlanVersion }
  type Draft @key(fields: "id") { id: ID! watchers: Int! }
  type Task @key(fields: "id", resolvable: false) { id: ID! }
  type PlanVersion @key(fields: "id versionId", resolvable: false) { id: ID! versionId: ID! }
`);
const subgraphs = [
  { name: "plans", url: "http://plans/graphql", typeDefs: plans },
  { name: "members", url: "http://members/graphql", typeDefs: members },
];

const composers = {
  apollo: () => apollo.composeServices(subgraphs).errors,
  hive: () => hive(subgraphs).errors,
  wundergraph: () =>
    federateSubgraphs({
      subgraphs: subgraphs.map(({ name, url, typeDefs }) => ({ name, url, definitions: typeDefs })),
      version: ROUTER_COMPATIBILITY_VERSION_ONE,
    }).errors,
};
const told = Object.entries(composers).map(([name, compose]) => {
  try {
    return [name, (compose() ?? []).map((error) => error.message)];
  } catch (error) {
    return [name, [`${error}`]];
  }
});
console.log(JSON.stringify(Object.fromEntries(told)));
