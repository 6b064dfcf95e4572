// What every page loads: htmx, which replaces parts of a page with what the server sends.
import htmx from "htmx.org";

// Pages carry no inline script and no eval, so that the content security policy can forbid both.
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;

window.htmx = htmx;

// `<span data-country="DE">` shows the country's name in the reader's language where the browser knows it.
function nameCountries(root) {
  const names = new Intl.DisplayNames(undefined, { type: "region", fallback: "none" });
  for (const element of root.querySelectorAll("[data-country]")) {
    if (!/^[A-Z]{2}$/.test(element.dataset.country)) continue;
    const name = names.of(element.dataset.country);
    if (name) element.textContent = name;
  }
}

// `<div data-live="ADDRESS">` gets the event `pulse` when the server says that there is something new, at most once
// in two seconds. A page that nobody looks at waits until somebody does, and a reader's selection is left alone.
const REST = 2000;
let waiting = false;
let last = 0;

function refresh() {
  const element = document.querySelector("[data-live]");
  if (!element || !waiting) return;
  const selected = String(document.getSelection() ?? "") !== "";
  const busy = element.contains(document.activeElement) || element.querySelector("details[open]");
  if (document.hidden || selected || busy || Date.now() - last < REST) return;
  waiting = false;
  last = Date.now();
  htmx.trigger(element, "pulse");
}

function watch(address) {
  const source = new EventSource(address);
  let first = true;
  source.addEventListener("pulse", () => {
    waiting ||= !first; // the first one says what the page already shows
    first = false;
    refresh();
  });
  setInterval(refresh, 500);
  document.addEventListener("visibilitychange", refresh);
  addEventListener("pagehide", () => source.close());
}

document.addEventListener("htmx:load", (event) => nameCountries(event.detail.elt));
nameCountries(document);
const live = document.querySelector("[data-live]");
if (live) watch(live.dataset.live);
