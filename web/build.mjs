// Builds the page: `node web/build.mjs OUT`. One module graph, hashed names, and an index.html that names them.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

const web = path.dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
if (!out) throw new Error("usage: node web/build.mjs OUT");
const result = await build({
  entryPoints: [path.join(web, "src/main.tsx"), path.join(web, "src/style.css")],
  outdir: path.join(out, "assets"),
  bundle: true,
  minify: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  publicPath: "/assets",
  loader: { ".woff2": "file" },
  metafile: true,
  legalComments: "none",
  logLevel: "error",
});
const made = (entry) =>
  "/assets/" + path.basename(Object.entries(result.metafile.outputs).find(([, o]) => o.entryPoint?.endsWith(entry))[0]);
const template = await readFile(path.join(web, "index.html"), "utf8");
await mkdir(out, { recursive: true });
await writeFile(
  path.join(out, "index.html"),
  template.replace("{script}", made("src/main.tsx")).replace("{style}", made("src/style.css")),
);
