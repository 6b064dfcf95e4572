// Charts: the part of ECharts that the site uses, and uPlot for long timelines.
import uPlot from "uplot";
import { BarChart, LineChart, MapChart } from "echarts/charts";
import {
  AriaComponent,
  DataZoomComponent,
  DatasetComponent,
  GeoComponent,
  GridComponent,
  LegendComponent,
  TooltipComponent,
  VisualMapComponent,
} from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

echarts.use([
  AriaComponent,
  BarChart,
  DataZoomComponent,
  DatasetComponent,
  GeoComponent,
  GridComponent,
  LegendComponent,
  LineChart,
  MapChart,
  SVGRenderer,
  TooltipComponent,
  VisualMapComponent,
]);

// The page's colours, light or dark, are those of its style sheet.
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function theme() {
  const line = { lineStyle: { color: colour("line") || "#ddd" } };
  const text = { color: colour("soft") || "#555" };
  const font = getComputedStyle(document.body).fontFamily;
  return {
    color: [1, 2, 3, 4, 5].map((number) => colour(`series-${number}`) || "#888"),
    textStyle: { fontFamily: font },
    legend: { textStyle: text },
    categoryAxis: { axisLine: line, axisLabel: text, splitLine: { show: false } },
    valueAxis: { axisLine: { show: false }, axisLabel: text, splitLine: line },
    tooltip: {
      renderMode: "richText", // the other one writes inline styles, which the content security policy forbids
      backgroundColor: colour("card") || "#fff",
      borderColor: colour("strong-line") || "#ccc",
      textStyle: { color: colour("text") || "#222", fontSize: 12, fontFamily: font },
      axisPointer: { shadowStyle: { color: colour("text") || "#222", opacity: 0.06 } },
    },
  };
}

// Element → function that draws it again; for a change between light and dark.
const drawn = new Map();

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const [element, draw] of drawn) {
    echarts.getInstanceByDom(element)?.dispose();
    draw();
  }
});

// Draws what `option()` gives into `element` and keeps it as wide as the element; drawing again replaces it.
// A click on a datum that carries a `link` (a path of this site) goes there.
export function mountChart(element, option) {
  const draw = () => {
    const chart = echarts.getInstanceByDom(element) ?? create(element);
    chart.setOption({ aria: { enabled: false }, ...option() }, { notMerge: true });
    return chart;
  };
  drawn.set(element, draw);
  return draw();
}

function create(element) {
  const chart = echarts.init(element, theme(), { renderer: "svg" });
  chart.on("click", ({ data }) => {
    if (typeof data?.link === "string" && /^\/(?!\/)/.test(data.link)) location.assign(data.link);
  });
  const observer = new ResizeObserver(() => {
    if (echarts.getInstanceByDom(element) !== chart) {
      observer.disconnect(); // drawn anew in other colours
    } else if (element.isConnected) {
      chart.resize();
    } else {
      // htmx took the element out of the page.
      observer.disconnect();
      drawn.delete(element);
      chart.dispose();
    }
  });
  observer.observe(element);
  return chart;
}

// An element `<div data-chart="ID">` shows the option in `<script type="application/json" id="ID">`.
export function mountAll(root = document) {
  for (const element of root.querySelectorAll("[data-chart]")) {
    const source = document.getElementById(element.dataset.chart);
    if (source) mountChart(element, () => JSON.parse(source.textContent));
  }
}

document.addEventListener("htmx:load", (event) => mountAll(event.detail.elt));
mountAll();

export { echarts, uPlot };
