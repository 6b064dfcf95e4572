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

// Draws `option` into `element` and keeps it as wide as the element; drawing again replaces it.
export function mountChart(element, option) {
  const chart = echarts.getInstanceByDom(element) ?? create(element);
  chart.setOption({ aria: { enabled: true }, ...option }, { notMerge: true });
  return chart;
}

function create(element) {
  const chart = echarts.init(element, null, { renderer: "svg" });
  const observer = new ResizeObserver(() => {
    if (element.isConnected) {
      chart.resize();
    } else {
      // htmx took the element out of the page.
      observer.disconnect();
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
    if (source) mountChart(element, JSON.parse(source.textContent));
  }
}

document.addEventListener("htmx:load", (event) => mountAll(event.detail.elt));
mountAll();

export { echarts, uPlot };
