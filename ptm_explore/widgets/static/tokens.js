import { asks, h, ours, textInput } from "./dom.js";

const PAUSE = 300; // ms without a key press before Python is asked

/** The state of a word after so many steps: [pieces, what was done]. */
const after = (word, step) => word[Math.min(step, word.length - 1)];

function row({ name, words }, step) {
  const pieces = words.map((word) =>
    h("span", { class: "ptm-word" }, ...after(word, step)[0].map((p) => h("bdi", { class: "ptm-chip" }, p))),
  );
  const done = words.filter((word) => step < word.length).map((word) => word[step][1]);
  const n = words.reduce((sum, word) => sum + after(word, step)[0].length, 0);
  return h(
    "section",
    { class: "ptm-cut" },
    h("h4", {}, h("bdi", {}, name), `: ${n} ${n === 1 ? "piece" : "pieces"}`),
    h("div", { class: "ptm-pieces", dir: "auto" }, ...pieces),
    h("p", { class: "ptm-done" }, done.length ? done.join("; ") : "done"),
  );
}

function render({ model, el }) {
  const stop = [];
  const slider = h("input", { type: "range", min: 0, max: 0, value: 0, onkeydown: ours, oninput: () => draw() });
  const count = h("output", {});
  const results = h("div", { class: "ptm-results", "aria-live": "polite" });
  const { ask, lines } = asks(model, stop, results, () => model.get("answer").text === model.get("text"));
  const input = textInput(model, stop, PAUSE, ask);

  const draw = () => {
    const { cuts = [] } = model.get("answer");
    const step = Number(slider.value);
    count.textContent = step < Number(slider.max) ? `${step} of ${slider.max}` : "all";
    results.replaceChildren(...cuts.map((cut) => row(cut, step)));
  };
  const show = () => {
    const { text, cuts = [] } = model.get("answer");
    if (text !== model.get("text")) return; // an answer to what was typed before
    const lengths = cuts.flatMap((cut) => cut.words.map((word) => word.length - 1));
    slider.max = Math.max(0, ...lengths);
    slider.value = slider.max; // first the result; the steps for who asks
    draw();
  };
  model.on("change:answer", show);
  stop.push(() => model.off("change:answer", show));

  el.append(
    h(
      "div",
      { class: "ptm-widget", role: "group", "aria-label": model.get("label") },
      h("label", {}, "Text ", input),
      h("label", {}, "Steps ", slider, count),
      ...lines,
      results,
    ),
  );
  show();
  return () => stop.forEach((end) => end());
}

export default { render };
