// Bundles src/*.js and src/*.css into the folder given as the first argument.
//
// File names carry a hash of their content, so that browsers may cache them for ever; manifest.json maps
// "charts.js" to the hashed name; world.json is read by the server. LICENSES.txt holds the licence of every package that ended up in a bundle.
import { build } from "esbuild";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { world } from "./src/world.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const target = process.argv[2] && resolve(process.argv[2]);
if (!target || basename(target) !== "build") {
  console.error("usage: node build.mjs FOLDER/build (the folder is emptied first)");
  process.exit(2);
}

const sources = (await readdir(join(here, "src"))).filter((name) => /\.(js|css)$/.test(name)).sort();
await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });

const result = await build({
  absWorkingDir: here,
  entryPoints: sources.map((name) => join("src", name)),
  outdir: target,
  bundle: true,
  splitting: true, // charts and map share one copy of ECharts
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "none", // the whole licences are in LICENSES.txt
  entryNames: "[name]-[hash]",
  chunkNames: "shared-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".json": "json", ".svg": "file", ".woff2": "file", ".wasm": "binary" },
  metafile: true,
  logLevel: "warning",
});

const manifest = {};
for (const [path, output] of Object.entries(result.metafile.outputs)) {
  if (!output.entryPoint) continue;
  const name = basename(output.entryPoint);
  const file = relative(target, resolve(here, path));
  if (manifest[name]) throw new Error(`two outputs for ${name}`);
  manifest[name] = file;
}
for (const name of sources) {
  if (!manifest[name]) throw new Error(`no output for src/${name}`);
}

await writeFile(join(target, "LICENSES.txt"), await licences(Object.keys(result.metafile.inputs)));
await writeFile(join(target, "world.json"), JSON.stringify(await world()) + "\n");
// Last, so that a manifest is never there without what it names.
await writeFile(join(target, "manifest.json"), JSON.stringify(manifest, null, 2) + "\n");

async function licences(inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const found = input.match(/^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//);
    if (found) packages.add(found[1]);
  }
  const parts = [];
  for (const name of [...packages].sort()) {
    const folder = join(here, "node_modules", name);
    const description = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const files = (await readdir(folder, { withFileTypes: true }))
      .filter((entry) => entry.isFile() && /^(licen[cs]e|notice|copying)/i.test(entry.name))
      .map((entry) => entry.name)
      .sort();
    if (!files.length) throw new Error(`${name} ships no licence text: do not bundle it`);
    const texts = await Promise.all(files.map((file) => readFile(join(folder, file), "utf8")));
    parts.push(`${name} ${description.version} (${description.license})\n\n${texts.join("\n\n").trim()}\n`);
  }
  return parts.join(`\n${"-".repeat(80)}\n\n`);
}
