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

/** An input line that keeps step with the model's `text`. What is typed goes to Python with Enter, or `pause` ms after
    the last key; `asked` is told when it does. */
export function textInput(model, stop, pause, asked = () => {}) {
  let timer;
  const ask = () => {
    clearTimeout(timer);
    if (input.value === model.get("text")) return;
    asked();
    model.set("text", input.value);
    model.save_changes();
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, pause);
  };
  const typed = (event) => {
    ours(event);
    if (event.key === "Enter") ask();
  };
  const input = h("input", { type: "text", spellcheck: "false", dir: "auto", oninput: later, onkeydown: typed });
  input.value = model.get("text");
  const changed = () => {
    // Set from Python or another view of this widget; never under the typing hands.
    if (document.activeElement !== input) input.value = model.get("text");
  };
  model.on("change:text", changed);
  stop.push(
    () => model.off("change:text", changed),
    () => clearTimeout(timer),
  );
  return input;
}

/** A line that the style sheet shows when ipywidgets marks the view as cut off from its kernel. */
export function lostLine() {
  return h("p", { class: "ptm-lost" }, "The kernel has stopped: run this cell again.");
}
