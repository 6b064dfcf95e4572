// Charts: the part of ECharts that the site uses; what is named here is what every overview has to load.
import { BarChart, MapChart } from "echarts/charts";
import {
  GridComponent,
  LegendPlainComponent,
  TooltipComponent,
  VisualMapContinuousComponent,
} from "echarts/components";
import * as echarts from "echarts/core";
import { SVGRenderer } from "echarts/renderers";

echarts.use([
  BarChart,
  GridComponent,
  LegendPlainComponent,
  MapChart,
  SVGRenderer,
  TooltipComponent,
  VisualMapContinuousComponent,
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

// Element → function that gives its option; for a change between light and dark.
const options = new Map();

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const element of options.keys()) {
    echarts.getInstanceByDom(element)?.dispose();
    draw(element);
  }
});

// A map in an area of no size has no inverse to its projection, and ECharts fails on it: such an element is drawn
// when it gets a size.
const observer = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    const chart = echarts.getInstanceByDom(target);
    if (!target.isConnected) {
      // htmx took the element out of the page.
      observer.unobserve(target);
      options.delete(target);
      chart?.dispose();
    } else if (contentRect.width && contentRect.height) {
      if (chart) chart.resize();
      else draw(target);
    }
  }
});

function draw(element) {
  if (!element.clientWidth || !element.clientHeight) return;
  const chart = echarts.getInstanceByDom(element) ?? create(element);
  const animation = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  chart.setOption({ animation, ...options.get(element)() }, { notMerge: true });
}

function create(element) {
  const chart = echarts.init(element, theme(), { renderer: "svg" });
  chart.on("click", ({ data }) => {
    if (typeof data?.link === "string") follow(data.link);
  });
  return chart;
}

// Goes to a path of this site. What is one, the browser's own parser says: to it "/\host" is another host.
function follow(link) {
  if (!link.startsWith("/") || !URL.canParse(link, location.origin)) return;
  const target = new URL(link, location.origin);
  if (target.origin === location.origin) location.assign(target);
}

// Draws what `option()` gives into `element` and keeps it as wide as the element; drawing again replaces it.
// A click on a datum that carries a `link` (a path of this site) goes there.
export function mountChart(element, option) {
  options.set(element, option);
  draw(element);
  observer.observe(element);
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

export { echarts };
