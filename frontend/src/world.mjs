// The shapes and names of countries as plain data, for maps that the server draws: no script runs in the reader's browser.
//
// {"box": "0 0 W H", "countries": {"DE": ["Germany", "M…Z"], …}}: Natural Earth's shapes in its own projection, rounded to
// tenths; countries too small for this scale have an empty path.
import { geoNaturalEarth1, geoPath } from "d3-geo";
import { feature } from "topojson-client";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const WIDTH = 960;

export async function world() {
  const require = createRequire(import.meta.url);
  const read = async (name) => JSON.parse(await readFile(require.resolve(name), "utf8"));
  const atlas = await read("world-atlas/countries-110m.json");
  const codes = await read("i18n-iso-countries/codes.json");
  const names = (await read("i18n-iso-countries/langs/en.json")).countries;

  const shapes = feature(atlas, atlas.objects.countries);
  shapes.features = shapes.features.filter(({ id }) => id !== "010"); // Antarctica takes a fifth of the picture
  const projection = geoNaturalEarth1().fitWidth(WIDTH, shapes);
  const path = geoPath(projection).digits(1);
  const [[, top], [, bottom]] = path.bounds(shapes);
  const drawn = new Map(shapes.features.map((country) => [country.id, path(country) ?? ""]));
  const countries = {};
  for (const [letters, , number] of codes) {
    const name = names[letters];
    countries[letters] = [Array.isArray(name) ? name[0] : (name ?? letters), drawn.get(number) ?? ""];
  }
  return { box: `0 ${Math.floor(top)} ${WIDTH} ${Math.ceil(bottom - top)}`, countries };
}
