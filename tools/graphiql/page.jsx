// The page: GraphiQL with the explorer, set up from the JSON that `graphql_server/graphiql` writes into
// the document: { endpoint, note, tabs, workers }.

import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./page.css";

import { explorerPlugin } from "@graphiql/plugin-explorer";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { createRoot } from "react-dom/client";
import { parseKeepingDigits } from "./digits.js";
import { storage } from "./storage.js";

const configuration = JSON.parse(document.getElementById("configuration").textContent);

globalThis.MonacoEnvironment = {
  getWorker: (_, label) => new Worker(configuration.workers[label] ?? configuration.workers.editor, { type: "module" }),
};

async function ask(parameters, options) {
  const response = await fetch(configuration.endpoint, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json, application/json",
      ...options?.headers,
    },
    body: JSON.stringify(parameters),
  });
  const text = await response.text();
  try {
    return parseKeepingDigits(text);
  } catch {
    // An answer that is not JSON (a proxy's error page, say) is shown as it came.
    return { errors: [{ message: `${response.status} ${response.statusText}`.trim() }], answer: text };
  }
}

function Note({ text }) {
  const parts = text.split("`");
  return (
    <div className="plan-api-note">
      {parts.map((part, index) => (index % 2 ? <code key={index}>{part}</code> : part))}
    </div>
  );
}

createRoot(document.getElementById("graphiql")).render(
  <GraphiQL
    fetcher={ask}
    defaultTabs={configuration.tabs}
    defaultEditorToolsVisibility
    isHeadersEditorEnabled
    plugins={[HISTORY_PLUGIN, explorerPlugin({ showAttribution: false })]}
    shouldPersistHeaders={false}
    storage={storage}
  >
    <GraphiQL.Logo>plan-api</GraphiQL.Logo>
    {configuration.note && (
      <GraphiQL.Footer>
        <Note text={configuration.note} />
      </GraphiQL.Footer>
    )}
  </GraphiQL>,
);
