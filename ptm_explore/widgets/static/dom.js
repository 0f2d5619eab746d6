// Builds elements from plain values. Strings only ever become text: nothing here or in a widget sets innerHTML,
// so a token such as <img onerror=...> is shown, never run.

/** h("p", {class: "x", onclick: f}, "text", element): attributes are set, functions listen, strings are text. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return element;
}

/** The line that shows a widget's `error`, as text; screen readers announce it when it changes. */
export function errorLine(model, stop) {
  const line = h("p", { class: "ptm-error", role: "alert" });
  const show = () => {
    line.textContent = model.get("error");
  };
  model.on("change:error", show);
  stop.push(() => model.off("change:error", show));
  show();
  return line;
}

/** Jupyter has its own use for most keys (Enter, arrows, letters in command mode); inside a widget they are ours. */
export function ours(event) {
  event.stopPropagation();
}

/** A line that the style sheet shows when ipywidgets marks the view as cut off from its kernel. */
export function lostLine() {
  return h("p", { class: "ptm-lost" }, "The kernel has stopped: run this cell again.");
}
