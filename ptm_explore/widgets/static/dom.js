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

/** Replaces what is in a box; the control in use keeps the keyboard. */
export function renew(box, ...children) {
  const controls = () => [...box.querySelectorAll("button, select, input, [tabindex]")];
  const at = controls().indexOf(document.activeElement);
  box.replaceChildren(...children);
  controls()[at]?.focus();
}

const LATE = 5000; // ms that Python may take before the page says that it waits

/** `ask(name, value)` sends a change that Python answers. Until it has, the `box` is dimmed, and what was in it stays.
    `heard` counts Python's answers: also an error that repeats itself is one. `fresh` tells whether what came is the
    answer to the last question. `lines` say what is wrong, as text; screen readers announce them. */
export function asks(model, stop, box, fresh = () => true) {
  let timer;
  const error = h("p", { class: "ptm-error", role: "alert" });
  const late = h("p", { class: "ptm-error ptm-late", role: "alert" });
  // The style sheet shows it when ipywidgets marks the view as cut off from its kernel.
  const lost = h("p", { class: "ptm-lost" }, "The kernel has stopped: run this cell again.");
  const waits = (busy) => {
    clearTimeout(timer);
    late.textContent = "";
    box.setAttribute("aria-busy", String(busy));
    const say = () => (late.textContent = "No kernel answers. It is busy, or it has stopped: then run this cell again.");
    if (busy) timer = setTimeout(say, LATE);
  };
  const ask = (name, value) => {
    waits(true);
    model.set(name, value);
    model.save_changes();
  };
  const show = () => (error.textContent = model.get("error"));
  const heard = () => waits(!fresh());
  model.on("change:error", show);
  model.on("change:heard", heard);
  stop.push(
    () => model.off("change:error", show),
    () => model.off("change:heard", heard),
    () => clearTimeout(timer),
  );
  show();
  return { ask, lines: [error, lost, late] };
}

/** Jupyter has its own use for most keys (Enter, arrows, letters in command mode); inside a widget they are ours. */
export function ours(event) {
  event.stopPropagation();
}

/** An input line that keeps step with a text of the model. What is typed is asked with Enter, or `pause` ms after the
    last key. */
export function textInput(model, stop, pause, ask, name = "text") {
  let timer;
  const send = () => {
    clearTimeout(timer);
    if (input.value !== model.get(name)) ask(name, input.value);
  };
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(send, pause);
  };
  const typed = (event) => {
    ours(event);
    if (event.key === "Enter") send();
  };
  const input = h("input", { type: "text", spellcheck: "false", dir: "auto", oninput: later, onkeydown: typed });
  input.value = model.get(name);
  const changed = () => {
    // Set from Python or another view of this widget; never under the typing hands.
    if (document.activeElement !== input) input.value = model.get(name);
  };
  model.on(`change:${name}`, changed);
  stop.push(
    () => model.off(`change:${name}`, changed),
    () => clearTimeout(timer),
  );
  return input;
}
