// Terminal replay: `<div data-replay="ADDRESS">` plays the asciicast that the server sends at that address.
import { create } from "asciinema-player";

export function mountAll(root = document) {
  for (const element of root.querySelectorAll("[data-replay]")) {
    if (element.dataset.mounted) continue;
    element.dataset.mounted = "yes";
    create(element.dataset.replay, element, {
      fit: "width",
      idleTimeLimit: 2,
      preload: true,
      terminalFontFamily: "ui-monospace, monospace",
    });
  }
}

document.addEventListener("htmx:load", (event) => mountAll(event.detail.elt));
mountAll();
