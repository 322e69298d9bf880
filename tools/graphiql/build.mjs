// Makes the files of the GraphiQL page: `npm ci && npm run build`.
//
// Writes graphql_server/graphiql/assets/ (each file as gzip and as brotli, named after its content), manifest.json
// beside it, and LICENSES.txt. Two runs give the same bytes: versions are locked, gzip's compressor too; brotli's is
// Node's own (20 here).

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { gzipAsync } from "@gfx/zopfli";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const TARGET = join(HERE, "../../graphql_server/graphiql");
const ASSETS = join(TARGET, "assets");
const ENTRIES = {
  page: "page.jsx",
  editor: "monaco-editor/esm/vs/editor/editor.worker.js",
  graphql: "monaco-graphql/esm/graphql.worker.js",
  json: "monaco-editor/esm/vs/language/json/json.worker.js",
};
const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".ttf": "font/ttf",
  ".woff2": "font/woff2",
};
// Packages without a licence file, and the one of the same repository that has it.
const SIBLINGS = [
  ["@graphiql/", "@graphiql/react"],
  ["react-compiler-runtime", "react"],
  ["react-remove-scroll-bar", "react-remove-scroll"],
];
const BANNER = "/* The licences of the parts: graphql_server/graphiql/LICENSES.txt in the sources of plan-api */";

// The editor names the diff editors' classes but the page never makes one: empty classes will do.
const withoutDiffEditors = {
  name: "without-diff-editors",
  setup({ onLoad }) {
    onLoad({ filter: /[/\\](diffEditorWidget|multiDiffEditorWidget)\.js$/ }, () => ({
      contents: "export class DiffEditorWidget {}; export class MultiDiffEditorWidget {}",
    }));
  },
};

function bundle() {
  return build({
    absWorkingDir: HERE,
    alias: {
      "monaco-editor/esm/vs/editor/edcore.main.js": "./editor.js",
      "prettier/parser-babel": "./json-layout.js",
      "prettier/parser-graphql": "prettier/plugins/graphql",
      "prettier/plugins/estree": "./json-layout.js",
    },
    assetNames: "[name]-[hash]",
    banner: { css: BANNER, js: BANNER },
    bundle: true,
    chunkNames: "part-[hash]",
    define: { "process.env.NODE_ENV": '"production"' },
    entryNames: "[name]-[hash]",
    entryPoints: ENTRIES,
    format: "esm",
    jsx: "automatic",
    legalComments: "none",
    loader: { ".ttf": "file", ".woff2": "file" },
    // One copy of `graphql` for the packages that import it and those that require it.
    mainFields: ["browser", "module", "main"],
    metafile: true,
    minify: true,
    outdir: ASSETS,
    plugins: [withoutDiffEditors],
    splitting: true,
    target: "es2022",
    write: false,
  });
}

// A style sheet is made for each part that is loaded later as well; the page's own holds them all.
function isServed(output) {
  return extname(output.path) !== ".css" || basename(output.path).startsWith("page-");
}

function entriesOf(metafile) {
  const made = Object.entries(metafile.outputs);
  const madeOf = (source) => made.find(([, { entryPoint }]) => entryPoint?.endsWith(source));
  const scripts = Object.entries(ENTRIES).map(([name, source]) => [name, basename(madeOf(source)[0])]);
  return { ...Object.fromEntries(scripts), style: basename(madeOf(ENTRIES.page)[1].cssBundle) };
}

function hashOf(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

async function write(outputs) {
  rmSync(ASSETS, { recursive: true, force: true });
  mkdirSync(ASSETS, { recursive: true });
  const files = {};
  for (const { path, contents } of outputs) {
    const name = basename(path);
    writeFileSync(join(ASSETS, `${name}.gz`), await gzipAsync(contents, { numiterations: 15 }));
    const brotli = brotliCompressSync(contents, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: contents.length } });
    writeFileSync(join(ASSETS, `${name}.br`), brotli);
    files[name] = { sha256: hashOf(contents), brotli: hashOf(brotli), type: TYPES[extname(name)] };
  }
  return files;
}

function packagesOf(metafile) {
  const inputs = Object.keys(metafile.inputs).filter((path) => path.includes("node_modules/"));
  return [...new Set(inputs.map((path) => path.match(/.*node_modules\/(@[^/]+\/)?[^/]+/)[0]))].sort();
}

function licenceTexts(folder) {
  return readdirSync(join(HERE, folder))
    .filter((name) => /^(licen[cs]e|copying|notice|thirdpartynotices)/i.test(name))
    .sort()
    .map((name) => readFileSync(join(HERE, folder, name), "utf8").replaceAll("\r\n", "\n").replace(/[ \t]+$/gm, "").trim())
    .join("\n\n");
}

function licenceOf(folder) {
  const about = JSON.parse(readFileSync(join(HERE, folder, "package.json"), "utf8"));
  const sibling = SIBLINGS.find(([start]) => about.name.startsWith(start));
  const text = licenceTexts(folder) || (sibling && licenceTexts(`node_modules/${sibling[1]}`));
  if (!text) throw new Error(`${about.name} brings no licence: name the package whose licence is its own in SIBLINGS`);
  return { title: `${about.name} ${about.version} (${about.license})`, text };
}

function licences(metafile) {
  const titles = new Map();
  for (const { title, text } of packagesOf(metafile).map(licenceOf)) {
    titles.set(text, (titles.get(text) ?? new Set()).add(title));
  }
  const rule = "=".repeat(100);
  const sections = [...titles].map(([text, names]) => `${rule}\n${[...names].join("\n")}\n${rule}\n\n${text}\n`);
  return `The files in assets/ are made of these packages.\n\n${sections.join("\n")}`;
}

const { metafile, outputFiles } = await bundle();
const files = await write(outputFiles.filter(isServed).sort((one, other) => (one.path < other.path ? -1 : 1)));
const manifest = { entries: entriesOf(metafile), files };
writeFileSync(join(TARGET, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
writeFileSync(join(TARGET, "LICENSES.txt"), licences(metafile));
