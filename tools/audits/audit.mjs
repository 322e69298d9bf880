// Runs graphql-http's audits against a served API: `node audit.mjs http://127.0.0.1:8000/graphql` prints each as JSON.
import { serverAudits } from 'graphql-http';

const url = process.argv[2];
const fetchFn = (address, options = {}) =>
  fetch(address, { ...options, headers: { ...options.headers, 'X-User-Id': 'auditor' } });

const results = [];
for (const audit of serverAudits({ url, fetchFn })) {
  const { status, reason } = await audit.fn();
  results.push({ id: audit.id, name: audit.name, status, reason: reason ?? null });
}
console.log(JSON.stringify(results, null, 2));
