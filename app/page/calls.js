// Writes the call of the service for a picture, for a shell, Python and JavaScript.

/**
 * Return `[title, code]` for each language.
 *
 * `address` is that of the route, `type` the media type of the picture, and `needsToken` tells whether the server asks
 * for one. The picture itself is in the code if `base64` is given; otherwise it is read from the file `name`.
 */
export function makeCalls({ address, type, name, base64, needsToken }) {
  const headers = { "Content-Type": type, ...(needsToken && { Authorization: "Bearer YOUR-TOKEN" }) };
  return [
    ["Shell, with curl", shell(address, headers, name, base64)],
    ["Python, with httpx", python(address, headers, name, base64)],
    ["JavaScript", javaScript(address, headers, name, base64)],
  ];
}

function shell(address, headers, name, base64) {
  const options = Object.entries(headers).map(([key, value]) => `-H ${quote(`${key}: ${value}`)}`);
  const source = base64 ? `echo ${base64} |\n  base64 -d |\n  ` : "";
  const body = base64 ? "@-" : quote(`@${name}`);
  return `${source}curl ${options.join(" ")} --data-binary ${body} \\\n  ${quote(address)}`;
}

function python(address, headers, name, base64) {
  const picture = base64 ? `base64.b64decode(${JSON.stringify(base64)})` : `pathlib.Path(${JSON.stringify(name)}).read_bytes()`;
  return [
    `import ${base64 ? "base64" : "pathlib"}`,
    "",
    "import httpx",
    "",
    `picture = ${picture}`,
    `response = httpx.post(${JSON.stringify(address)}, content=picture, headers=${JSON.stringify(headers)})`,
    "print(response.json())",
  ].join("\n");
}

function javaScript(address, headers, name, base64) {
  return [
    ...(base64
      ? [`const picture = Uint8Array.from(atob(${JSON.stringify(base64)}), (byte) => byte.charCodeAt(0));`]
      : ['import { readFile } from "node:fs/promises";', "", `const picture = await readFile(${JSON.stringify(name)});`]),
    `const response = await fetch(${JSON.stringify(address)}, { method: "POST", body: picture, headers: ${JSON.stringify(headers)} });`,
    "console.log(await response.json());",
  ].join("\n");
}

/** Quote a text for the shell. */
const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
