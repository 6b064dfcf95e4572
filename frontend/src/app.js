// What every page loads: htmx, which replaces parts of a page with what the server sends.
import htmx from "htmx.org";

// Pages carry no inline script and no eval, so that the content security policy can forbid both.
htmx.config.allowEval = false;
htmx.config.includeIndicatorStyles = false;
htmx.config.selfRequestsOnly = true;

window.htmx = htmx;
