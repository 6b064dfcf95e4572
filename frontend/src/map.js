// The world map: country shapes from world-atlas, drawn by ECharts in d3's Natural Earth projection.
import { geoNaturalEarth1 } from "d3-geo";
import { feature } from "topojson-client";
import codes from "i18n-iso-countries/codes.json";
import atlas from "world-atlas/countries-110m.json";
import { echarts, mountChart } from "./charts.js";

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

// Shows `counts`, an object of ISO letters to numbers, as a shaded map.
export function mountMap(element, counts) {
  const data = Object.entries(counts).map(([name, value]) => ({ name, value }));
  const most = Math.max(1, ...data.map(({ value }) => value));
  return mountChart(element, {
    tooltip: {
      trigger: "item",
      formatter: ({ name, value }) =>
        echarts.format.encodeHTML(`${names.get(name) ?? name}: ${Number.isFinite(value) ? value : 0}`),
    },
    visualMap: { show: false, min: 0, max: most, inRange: { color: ["#f3e3d3", "#b5361c"] } },
    series: [
      {
        type: "map",
        map: "world",
        projection: {
          project: (point) => natural(point),
          unproject: (point) => natural.invert(point),
          stream: natural.stream,
        },
        itemStyle: { areaColor: "#e8e8e4", borderColor: "#ffffff", borderWidth: 0.5 },
        emphasis: { label: { show: false } },
        select: { disabled: true },
        data,
      },
    ],
  });
}

// An element `<div data-map="ID">` shows the counts in `<script type="application/json" id="ID">`.
export function mountAll(root = document) {
  for (const element of root.querySelectorAll("[data-map]")) {
    const source = document.getElementById(element.dataset.map);
    if (source) mountMap(element, JSON.parse(source.textContent));
  }
}

document.addEventListener("htmx:load", (event) => mountAll(event.detail.elt));
mountAll();
