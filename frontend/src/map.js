// The world map: country shapes from world-atlas, drawn by ECharts in d3's Natural Earth projection.
import { geoNaturalEarth1 } from "d3-geo";
import { feature } from "topojson-client";
import codes from "i18n-iso-countries/codes.json";
import atlas from "world-atlas/countries-110m.json";
import { colour, echarts, mountChart } from "./charts.js";

// world-atlas names countries by ISO 3166-1 number, our data by its two letters.
const lettersOfNumber = new Map(codes.map(([letters, , number]) => [number, letters]));
const names = new Map();

const world = feature(atlas, atlas.objects.countries);
world.features = world.features.filter(({ id }) => id !== "010"); // Antarctica takes a fifth of the picture
for (const country of world.features) {
  const letters = lettersOfNumber.get(country.id) ?? country.properties.name;
  names.set(letters, country.properties.name);
  country.properties = { name: letters };
}
echarts.registerMap("world", world);

const natural = geoNaturalEarth1();

// Shows `counts`, an object of ISO letters to numbers, as a shaded map. Shades are by the logarithm: one country
// with a thousand visits must not leave all others blank. `link` is an address that a country's letters are added to.
export function mountMap(element, counts, link = "") {
  const data = Object.entries(counts).map(([name, value]) => ({
    name,
    value: Math.log1p(value),
    link: link && link + encodeURIComponent(name),
  }));
  const values = data.map(({ value }) => value);
  const most = Math.max(1, ...values);
  const least = Math.min(...values) < most ? Math.min(...values) : 0;
  mountChart(element, () => ({
    tooltip: {
      trigger: "item",
      formatter: ({ name }) => `${names.get(name) ?? name}: ${(counts[name] ?? 0).toLocaleString()}`,
    },
    visualMap: {
      show: false,
      min: least,
      max: most,
      inRange: { color: [colour("map-low") || "#b9dcdf", colour("map-high") || "#0a5a63"] },
    },
    animation: false,
    series: [
      {
        type: "map",
        map: "world",
        left: 0,
        right: 0,
        top: 0,
        bottom: 0,
        projection: {
          project: (point) => natural(point),
          unproject: (point) => natural.invert(point),
          stream: natural.stream,
        },
        itemStyle: {
          areaColor: colour("map-empty") || "#e8e8e4",
          borderColor: colour("card") || "#ffffff",
          borderWidth: 0.5,
        },
        emphasis: { label: { show: false }, itemStyle: { areaColor: colour("series-2") || "#d39a2d" } },
        select: { disabled: true },
        data,
      },
    ],
  }));
}

// An element `<div data-map="ID">` shows the counts in `<script type="application/json" id="ID">`.
export function mountAll(root = document) {
  for (const element of root.querySelectorAll("[data-map]")) {
    const source = document.getElementById(element.dataset.map);
    if (source) mountMap(element, JSON.parse(source.textContent), element.dataset.link);
  }
}

document.addEventListener("htmx:load", (event) => mountAll(event.detail.elt));
mountAll();
