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

// `<div data-live="ADDRESS" data-pulse="STATE">` gets the event `pulse` when the server tells another state than the one
// that it shows, at most once in two seconds. A page that nobody looks at waits until somebody does, and one that is
// being read (something selected, focused or unfolded) is left alone.
const REST = 2000;
let state = null;
let last = -REST;

function refresh() {
  const element = document.querySelector("[data-live]");
  if (!element || state === null || state === element.dataset.pulse) return;
  const selected = String(document.getSelection() ?? "") !== "";
  const read = element.contains(document.activeElement) || element.querySelector("details[open]");
  if (document.hidden || selected || read || performance.now() - last < REST) return;
  last = performance.now();
  htmx.trigger(element, "pulse");
}

function watch(address) {
  const source = new EventSource(address);
  source.addEventListener("pulse", ({ data }) => {
    state = data;
    refresh();
  });
  source.addEventListener("over", () => {
    source.close();
    location.reload(); // the log-in has ended: what it showed goes, and the way back in is shown
  });
  setInterval(refresh, 500);
  document.addEventListener("visibilitychange", refresh);
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", ({ persisted }) => persisted && location.reload()); // came back with a closed stream
}

document.addEventListener("htmx:load", (event) => nameCountries(event.detail.elt));
nameCountries(document);
const live = document.querySelector("[data-live]");
if (live) watch(live.dataset.live);
