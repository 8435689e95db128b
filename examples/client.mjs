// Classify pictures with Digitserve: `node examples/client.mjs 7.png ...`. Needs Node 18 or later, and no package.

import { readFile } from "node:fs/promises";

const url = process.env.DIGITSERVE_URL ?? "http://127.0.0.1:8000";

for (const name of process.argv.slice(2)) {
  const response = await fetch(`${url}/predict`, { method: "POST", body: await readFile(name) });
  const answer = await response.json();
  if (!response.ok) {
    console.log(`${name}: ${answer.title}`);
  } else if (answer.abstained) {
    console.log(`${name}: not sure (${answer.reason}), perhaps ${answer.digit}`);
  } else {
    console.log(`${name}: ${answer.digit} (confidence ${answer.confidence})`);
  }
}
