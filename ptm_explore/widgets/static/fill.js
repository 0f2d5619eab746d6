import { asks, h, textInput } from "./dom.js";

const PAUSE = 400; // ms without a key press before the model is asked

function bars(fill, caption) {
  const rows = fill.map(([token, probability]) => {
    const percent = Math.min(Math.max(probability, 0), 1) * 100;
    const bar = h("div", { class: "ptm-bar" });
    bar.style.width = `${percent}%`;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, h("bdi", {}, token)),
      h("td", { class: "ptm-track", "aria-hidden": "true" }, bar),
      h("td", { class: "ptm-number" }, `${percent.toFixed(1)} %`),
    );
  });
  return h("table", { class: "ptm-bars" }, h("caption", {}, caption), h("tbody", {}, ...rows));
}

function render({ model, el }) {
  const stop = [];
  const results = h("div", { class: "ptm-results", "aria-live": "polite" });
  const { ask, lines } = asks(model, stop, results, () => model.get("answer").text === model.get("text"));
  const input = textInput(model, stop, PAUSE, ask);

  const show = () => {
    const { text, masks = [] } = model.get("answer");
    if (text !== model.get("text")) return; // an answer to what was typed before
    const many = masks.length > 1;
    const caption = (i) => (many ? `Most probable for mask ${i + 1}` : "Most probable");
    results.replaceChildren(...masks.map((fill, i) => bars(fill, caption(i))));
  };
  model.on("change:answer", show);
  stop.push(() => model.off("change:answer", show));

  el.append(
    h(
      "div",
      { class: "ptm-widget", role: "group", "aria-label": model.get("label") },
      h("label", {}, "Text ", input),
      ...lines,
      results,
    ),
  );
  show();
  return () => stop.forEach((end) => end());
}

export default { render };
