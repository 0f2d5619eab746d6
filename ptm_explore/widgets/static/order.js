import { asks, h, ours } from "./dom.js";

/** One mask as a table: a row looks, a column is looked at. */
function mask(title, tokens, cells, order) {
  const column = (token) => h("th", { scope: "col" }, h("span", {}, h("bdi", {}, token)));
  const row = (seen, i) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, h("bdi", {}, tokens[i])),
      ...seen.map((bit, j) =>
        h("td", {
          class: bit ? (order.includes(i) ? "ptm-seen ptm-asked" : "ptm-seen") : "",
          title: `${tokens[i]} ${bit ? "sees" : "does not see"} ${tokens[j]}`,
        }),
      ),
    );
  return h(
    "table",
    { class: "ptm-mask" },
    h("caption", {}, title),
    h("thead", {}, h("tr", {}, h("td"), ...tokens.map(column))),
    h("tbody", {}, ...cells.map(row)),
  );
}

/** What each prediction is made from, in the order in which they are made. */
function predictions(tokens, { order, query, nats }) {
  const line = (place, n) => {
    const seen = tokens.filter((_token, j) => query[place][j]).map((token) => h("bdi", { class: "ptm-chip" }, token));
    const p = 100 * Math.exp(-nats[n]);
    return h(
      "li",
      {},
      h("b", {}, h("bdi", {}, tokens[place])),
      ` ${p < 0.1 ? "< 0.1" : p.toFixed(1)} % (${nats[n].toFixed(2)} nats), seen: `,
      ...(seen.length ? seen : ["nothing"]),
    );
  };
  const total = nats.reduce((sum, x) => sum + x, 0);
  const sum = `All ${order.length} together: ${total.toFixed(2)} nats.`;
  return h("div", { "aria-live": "polite" }, h("ol", { class: "ptm-order" }, ...order.map(line)), h("p", {}, sum));
}

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function render({ model, el }) {
  const stop = [];
  const tokens = model.get("tokens");
  const ordinary = tokens.map((_token, i) => i).filter((i) => !model.get("special").includes(i));
  const choose = (order) => {
    if (!same(order, model.get("order"))) ask("order", order); // else nothing would be sent, and nothing come back
  };
  const press = (i) => {
    const order = model.get("order");
    choose(order.includes(i) ? order.filter((place) => place !== i) : [...order, i]);
  };
  const shuffled = () => {
    const order = [...ordinary];
    for (let i = order.length - 1; i > 0; i--) {
      const j = Math.floor(Math.random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  };
  const buttons = tokens.map((token, i) => {
    const rank = h("sup", {});
    const button = h("button", { type: "button", onclick: () => press(i) }, h("bdi", {}, token), rank);
    button.disabled = !ordinary.includes(i);
    return { button, rank };
  });
  const results = h("div", { class: "ptm-results" });
  const fresh = () => model.get("error") || same(model.get("answer").order ?? [], model.get("order"));
  const { ask, lines } = asks(model, stop, results, fresh);

  const showOrder = () => {
    const order = model.get("order");
    buttons.forEach(({ button, rank }, i) => {
      const place = order.indexOf(i);
      rank.textContent = place < 0 ? "" : ` ${place + 1}`;
      button.setAttribute("aria-pressed", String(place >= 0));
    });
  };
  const show = () => {
    const answer = model.get("answer");
    const asked = answer.order ?? [];
    if (!fresh()) return; // to an order that was pressed before
    if (asked.length === 0) {
      results.replaceChildren(h("p", {}, "Everything is given. Press tokens in the order of their prediction."));
      return;
    }
    results.replaceChildren(
      predictions(tokens, answer),
      h(
        "div", // the list above says it all in words
        { class: "ptm-masks", "aria-hidden": "true" },
        mask("Content stream: what a state is made of", tokens, answer.content, []),
        mask("Query stream: what a prediction may see", tokens, answer.query, asked),
      ),
    );
  };
  const events = { "change:order": showOrder, "change:answer": show };
  for (const [event, listener] of Object.entries(events)) {
    model.on(event, listener);
    stop.push(() => model.off(event, listener));
  }

  const action = (text, order) => h("button", { type: "button", onclick: () => choose(order()) }, text);
  el.append(
    h(
      "div",
      { class: "ptm-widget", role: "group", "aria-label": model.get("label"), onkeydown: ours },
      h("div", { class: "ptm-tokens" }, ...buttons.map(({ button }) => button)),
      h(
        "div",
        { class: "ptm-actions" },
        action("Shuffle all", shuffled),
        action("Left to right", () => ordinary),
        action("Clear", () => []),
      ),
      ...lines,
      results,
    ),
  );
  showOrder();
  show();
  return () => stop.forEach((end) => end());
}

export default { render };
