import { asks, h, ours } from "./dom.js";

const percent = (x) => `${(100 * x).toFixed(0)} %`;

function render({ model, el }) {
  const stop = [];
  let marked = new Set(); // by this player; what was checked stands in the model's `marks`
  let waiting = false; // for the kernel's answer
  let buttons = [];
  const text = h("div", { class: "ptm-tokens" });
  const task = h("p", {});
  const results = h("div", { class: "ptm-results", "aria-live": "polite" });
  const { ask, lines } = asks(model, stop, results);

  const send = (name, value) => {
    waiting = true;
    count();
    ask(name, value);
  };
  const done = () => Object.keys(model.get("verdict")).length > 0;
  const check = h("button", { type: "button", onclick: () => send("marks", [...marked]) }, "Check");
  const next = h("button", { type: "button", onclick: () => send("round", model.get("round") + 1) }, "Next text");

  const count = () => {
    const wanted = model.get("wanted");
    const words = wanted === 1 ? "1 token was replaced" : `${wanted} tokens were replaced`;
    task.textContent = `${words}. Marked: ${marked.size}.`;
    check.disabled = waiting || done() || wanted === 0 || marked.size !== wanted;
    next.disabled = waiting || !(done() || wanted === 0);
  };
  const toggle = (i) => {
    if (waiting || done()) return;
    if (!marked.delete(i)) marked.add(i);
    buttons[i].setAttribute("aria-pressed", String(marked.has(i)));
    count();
  };
  const deal = () => {
    const special = model.get("special");
    [waiting, marked] = [false, new Set(model.get("marks"))];
    buttons = model.get("tokens").map((token, i) => {
      const button = h("button", { type: "button", "aria-pressed": String(marked.has(i)), onclick: () => toggle(i) });
      button.append(h("bdi", {}, token));
      button.disabled = special.includes(i);
      return button;
    });
    text.replaceChildren(...buttons);
    results.replaceChildren();
    count();
  };
  const show = () => {
    if (!done()) return deal();
    waiting = false;
    count();
    const { originals, suspicion, suspects } = model.get("verdict");
    const tokens = model.get("tokens");
    buttons.forEach((button, i) => {
      if (!(i in originals)) return;
      button.classList.add("ptm-replaced");
      button.setAttribute("aria-label", `${tokens[i]}, replaced`);
    });
    const row = (i) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, h("bdi", {}, tokens[i])),
        h("td", {}, i in originals ? h("bdi", {}, `instead of ${originals[i]}`) : "original"),
        h("td", {}, marked.has(i) ? "marked" : ""),
        h("td", {}, `${suspects.includes(i) ? "marked" : ""} (${percent(suspicion[i])})`),
      );
    const shown = tokens.map((_token, i) => i).filter((i) => i in originals || marked.has(i) || suspects.includes(i));
    const head = ["token", "truth", "you", "discriminator"].map((name) => h("th", { scope: "col" }, name));
    const { you, discriminator, chance, of } = model.get("score");
    const found = `Found so far, of ${of}: you ${you}, the discriminator ${discriminator}, `;
    results.replaceChildren(
      h("table", { class: "ptm-verdict" }, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...shown.map(row))),
      h("p", {}, `${found}guessing ${chance.toFixed(1)} on average.`),
    );
  };
  const failed = () => {
    waiting = false;
    count();
  };
  const events = { "change:tokens": deal, "change:verdict": show, "change:score": show, "change:heard": failed };
  for (const [event, listener] of Object.entries(events)) {
    model.on(event, listener);
    stop.push(() => model.off(event, listener));
  }
  el.append(
    h(
      "div",
      { class: "ptm-widget", role: "group", "aria-label": model.get("label"), onkeydown: ours },
      task,
      text,
      h("div", { class: "ptm-actions" }, check, next),
      ...lines,
      results,
    ),
  );
  deal();
  if (done()) show();
  return () => stop.forEach((end) => end());
}

export default { render };
