import { asks, h, ours, renew, textInput } from "./dom.js";

const ROW = 19; // pixels of a token's line
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#a04000", "#5f5f5f"];
const MOST_LINES = 4000; // strokes that a frame affords
const colour = (head) => COLOURS[head % COLOURS.length];

/** The weights of one model's layer: of one head, the mean or the largest of several; numbers on demand. */
class Maps {
  constructor(view, frame, which) {
    const buffer = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
    this.raw = frame.bytes === 2 ? new Uint16Array(buffer) : new Uint8Array(buffer);
    this.top = frame.bytes === 2 ? 65535 : 255;
    this.T = frame.tokens.length;
    this.heads = frame.heads[which];
    this.peak = frame.peaks[which];
  }
  weight(head, i, j) {
    const root = this.raw[(head * this.T + i) * this.T + j] / this.top;
    return root * root * this.peak;
  }
  /** One map out of the chosen heads. */
  together(heads, how) {
    const size = this.T * this.T;
    const sum = new Float32Array(size);
    const scale = this.peak / (this.top * this.top);
    for (const head of heads) {
      const at = head * size;
      for (let n = 0; n < size; n++) {
        const x = this.raw[at + n] * this.raw[at + n] * scale;
        sum[n] = how === "maximum" ? Math.max(sum[n], x) : sum[n] + x / heads.length;
      }
    }
    return sum;
  }
}

/** A labelled choice; `chosen` is told the value. */
function choice(label, values, value, chosen) {
  const select = h("select", { "aria-label": label, onchange: () => chosen(select.value), onkeydown: ours });
  select.append(...values.map(([key, text]) => h("option", { value: key }, text)));
  select.value = value;
  return { element: h("label", {}, label, select), select };
}

function toggle(label, value, chosen) {
  const box = h("input", { type: "checkbox", onchange: () => chosen(box.checked) });
  box.checked = value;
  return h("label", { class: "ptm-check" }, box, label);
}

function canvas(width, height) {
  const element = h("canvas", { "aria-hidden": "true" });
  const ratio = Math.min(window.devicePixelRatio || 1, 16000 / Math.max(width, height));
  Object.assign(element, { width: Math.ceil(width * ratio), height: Math.ceil(height * ratio) });
  element.style.cssText = `width:${width}px;height:${height}px`;
  const pen = element.getContext("2d");
  pen.scale(ratio, ratio);
  return { element, pen };
}

function render({ model, el }) {
  const stop = [];
  const state = { view: "lines", heads: [0], how: "each", least: 0.05, hide: false, section: "all", token: null };
  const get = (name) => model.get(name);
  let layers = []; // of Maps, one a model
  let pictures = []; // what `mapsOf` each panel as it is drawn
  let repaint = () => {}; // the hover frame of the view on screen

  const frame = () => get("frame");
  const names = () => frame().names ?? [];
  const panels = () => (names().length === 2 ? [...names(), `${names()[0]} − ${names()[1]}`] : names());
  const shows = (i, j) => {
    const { special, sections } = frame();
    if (state.hide && (special[i] || special[j])) return false;
    return state.section === "all" || state.section === `${sections[i]}${sections[j]}`;
  };
  const chosen = (which) => {
    const heads = state.heads.filter((head) => head < layers[which].heads);
    return heads.length ? heads : [0];
  };
  /** The map or maps of a panel, as [colour, (i, j) => weight]; the third panel is the difference of two. */
  const mapsOf = (which) => {
    if (which < 2 && state.how === "each" && layers.length === 1 && state.view === "lines")
      return chosen(which).map((head) => [colour(head), (i, j) => layers[which].weight(head, i, j)]);
    const how = state.how === "each" ? "mean" : state.how;
    const parts = (which < 2 ? [which] : [0, 1]).map((n) => layers[n].together(chosen(n), how));
    const T = frame().tokens.length;
    if (which < 2) return [[colour(chosen(which)[0]), (i, j) => parts[0][i * T + j]]];
    return [
      [COLOURS[0], (i, j) => Math.max(parts[0][i * T + j] - parts[1][i * T + j], 0)],
      [COLOURS[1], (i, j) => Math.max(parts[1][i * T + j] - parts[0][i * T + j], 0)],
    ];
  };
  const peak = () => Math.max(...(frame().peaks ?? [1]));
  const number = (x) => (x < 0.0005 && x > 0 ? "< 0.001" : x.toFixed(3));

  const readout = h("p", { class: "ptm-readout", "aria-live": "polite" });
  /** In words: where a token looks, or from where it is looked at. */
  const tell = (side, i) => {
    const { tokens } = frame();
    const parts = names().map((name, which) => {
      const maps = pictures[which];
      const sum = (j) => maps.reduce((most, [, at]) => Math.max(most, side ? at(j, i) : at(i, j)), 0);
      const best = tokens.map((_t, j) => [sum(j), j]).filter(([, j]) => (side ? shows(j, i) : shows(i, j)));
      best.sort((a, b) => b[0] - a[0]);
      const list = best.slice(0, 4).map(([x, j]) => `${tokens[j]} (${number(x)})`).join(", ");
      return `${names().length > 1 ? `${name}: ` : ""}${list}`;
    });
    const verb = side ? "is looked at by" : "looks at";
    readout.textContent = `${tokens[i]} (${i + (frame().first ?? 0)}) ${verb} ${parts.join("; ")}`;
  };
  const cell = (which, i, j) => {
    const { tokens } = frame();
    const values = pictures[which].map(([, at]) => at(i, j));
    const value = which < 2 ? values[0] : values[0] - values[1];
    readout.textContent = `${panels()[which]}: ${tokens[i]} → ${tokens[j]}: ${value.toFixed(3)}`;
  };

  /** Left tokens look, right tokens are looked at; the thicker the line, the more. */
  const lines = () => {
    const { tokens, special, sections } = frame();
    const T = tokens.length;
    const width = panels().length > 1 ? 110 : 240;
    const drawn = panels().map((name, which) => {
      const { element, pen } = canvas(width, T * ROW);
      const maps = pictures[which];
      const strong = strongest(maps, T);
      const paint = () => {
        pen.clearRect(0, 0, width, T * ROW);
        const pinned = state.token;
        const stroke = (hue, i, j, x) => {
          pen.strokeStyle = hue;
          pen.globalAlpha = Math.min(1, x / peak());
          pen.lineWidth = 0.5 + 2.5 * Math.min(1, x / peak());
          pen.beginPath();
          pen.moveTo(0, (i + 0.5) * ROW);
          pen.lineTo(width, (j + 0.5) * ROW);
          pen.stroke();
        };
        if (!pinned) return strong.forEach(([hue, i, j, x]) => stroke(hue, i, j, x));
        for (const [hue, at] of maps)
          for (let n = 0; n < T; n++) {
            const [i, j] = pinned.side ? [n, pinned.i] : [pinned.i, n];
            const x = at(i, j);
            if (x >= state.least * peak() && shows(i, j)) stroke(hue, i, j, x);
          }
      };
      paint();
      return { name, element, paint };
    });
    const column = (side) => {
      const items = tokens.map((token, i) =>
        h(
          "div",
          {
            role: "option",
            "aria-selected": "false",
            class: `ptm-token${special[i] ? " ptm-special" : ""}${sections[i] ? " ptm-second" : ""}`,
            title: token,
          },
          h("bdi", {}, token),
        ),
      );
      let on = null;
      const pin = (i) => {
        if (on !== null) items[on].setAttribute("aria-selected", "false");
        on = i;
        state.token = i === null ? null : { side, i };
        if (i !== null) {
          items[i].setAttribute("aria-selected", "true");
          tell(side, i);
        } else readout.textContent = "";
        repaint();
      };
      const place = (event) => {
        const i = items.indexOf(event.target.closest(".ptm-token"));
        if (i >= 0 && i !== on) pin(i);
      };
      const keys = (event) => {
        ours(event);
        const step = { ArrowDown: 1, ArrowUp: -1, Home: -T, End: T, PageDown: 10, PageUp: -10 }[event.key];
        if (event.key === "Escape") pin(null);
        if (event.key === "Enter" && on !== null && !side) askBest(on);
        if (step === undefined) return;
        event.preventDefault();
        pin(Math.min(T - 1, Math.max(0, (on ?? -1) + step)));
        items[on].scrollIntoView({ block: "nearest" });
      };
      const label = side ? "Tokens that are looked at" : "Tokens that look";
      return h(
        "div",
        {
          class: `ptm-side ptm-side${side}`,
          role: "listbox",
          tabindex: "0",
          "aria-label": label,
          onmouseover: place,
          onmouseleave: () => pin(null),
          onkeydown: keys,
          onblur: () => pin(null),
          onclick: () => on !== null && !side && askBest(on),
        },
        ...items,
      );
    };
    repaint = () => drawn.forEach(({ paint }) => paint());
    const middle = drawn.map(({ name, element }) =>
      h("figure", {}, h("figcaption", { title: name }, panels().length > 1 ? name : ""), element),
    );
    return h("div", { class: "ptm-lines" }, column(0), ...middle, column(1));
  };
  /** The lines worth drawing when no token is singled out: [colour, i, j, weight]. */
  const strongest = (maps, T) => {
    const found = [];
    for (const [hue, at] of maps)
      for (let i = 0; i < T; i++)
        for (let j = 0; j < T; j++) {
          const x = at(i, j);
          if (x >= state.least * peak() && shows(i, j)) found.push([hue, i, j, x]);
        }
    if (found.length <= MOST_LINES) return found;
    notice.append(` The ${MOST_LINES} strongest of ${found.length} lines are drawn.`);
    return found.sort((a, b) => b[3] - a[3]).slice(0, MOST_LINES);
  };

  /** Rows look, columns are looked at; tokens beside them where they are large enough to read. */
  const matrix = () => {
    const { tokens } = frame();
    const T = tokens.length;
    const size = Math.max(1, Math.floor(Math.min(panels().length > 1 ? 300 : 560, 28 * T) / T));
    const side = size * T;
    const margin = size < 10 ? 0 : 80;
    const figures = panels().map((name, which) => {
      const { element, pen } = canvas(side + margin, side + margin);
      if (margin) label(pen, tokens, size, margin);
      pen.translate(margin, margin);
      paintMap(pen, pictures[which], T, side);
      let at = "";
      element.addEventListener("mousemove", (event) => {
        const box = element.getBoundingClientRect();
        const [j, i] = [event.clientX - box.left, event.clientY - box.top].map((x) =>
          Math.min(T - 1, Math.max(0, Math.floor((x - margin) / size))),
        );
        if (at !== `${i} ${j}`) cell(which, i, j);
        at = `${i} ${j}`;
      });
      return h("figure", {}, h("figcaption", {}, `${name}: ${which < 2 ? "rows look at columns" : "blue is more, orange less"}`), element);
    });
    repaint = () => {};
    return h("div", { class: "ptm-masks" }, ...figures, scale());
  };
  const label = (pen, tokens, size, margin) => {
    pen.fillStyle = getComputedStyle(stage).color;
    pen.font = `${Math.min(12, size)}px system-ui, sans-serif`;
    pen.textBaseline = "middle";
    tokens.forEach((token, i) => {
      const text = token.length > 12 ? `${token.slice(0, 11)}…` : token;
      const at = margin + (i + 0.5) * size;
      pen.textAlign = "right";
      pen.fillText(text, margin - 4, at, margin - 4);
      pen.save();
      pen.translate(at, margin - 4);
      pen.rotate(-Math.PI / 2);
      pen.textAlign = "left";
      pen.fillText(text, 0, 0, margin - 4);
      pen.restore();
    });
  };
  /** From the page's background to the hue; square roots, so that small weights can be told from none. */
  const paintMap = (pen, maps, T, side) => {
    const size = side / T;
    for (const [hue, at] of maps) {
      pen.fillStyle = hue;
      for (let i = 0; i < T; i++)
        for (let j = 0; j < T; j++) {
          const x = shows(i, j) ? at(i, j) / peak() : 0;
          if (x < 0.001) continue;
          pen.globalAlpha = Math.sqrt(Math.min(1, x));
          pen.fillRect(j * size, i * size, size, size);
        }
    }
  };
  const scale = () => {
    const { element, pen } = canvas(120, 12);
    const hue = colour(state.heads[0]);
    for (let n = 0; n < 120; n++) {
      pen.globalAlpha = Math.sqrt(n / 120);
      pen.fillStyle = hue;
      pen.fillRect(n, 0, 1, 12);
    }
    return h("p", { class: "ptm-scale" }, "0 ", element, ` ${peak().toPrecision(2)}`);
  };

  /** All heads of all layers, small; a click opens one. */
  const grid = () => {
    repaint = () => {};
    const { small, heads, layers: count, tokens } = frame();
    const side = Math.min(24, tokens.length);
    return h(
      "div",
      {},
      ...names().map((name, which) => {
        const bytes = new Uint8Array(small[which].buffer, small[which].byteOffset, small[which].byteLength);
        const one = (layer, head) => {
          const { element, pen } = canvas(48, 48);
          const at = (i, j) => (bytes[((layer * heads[which] + head) * side + i) * side + j] / 255) ** 2;
          pen.fillStyle = colour(head);
          for (let i = 0; i < side; i++)
            for (let j = 0; j < side; j++) {
              pen.globalAlpha = Math.sqrt(at(i, j));
              pen.fillRect((j * 48) / side, (i * 48) / side, 48 / side, 48 / side);
            }
          const open = () => {
            Object.assign(state, { heads: [head], view: "lines" });
            views.select.value = "lines";
            if (layer === get("layer")) draw();
            else ask("layer", layer);
            stage.focus();
          };
          const text = `${name}, layer ${layer}, head ${head}`;
          return h("button", { type: "button", "aria-label": text, title: text, onclick: open }, element);
        };
        const row = (layer) =>
          h("div", { class: "ptm-row" }, `${layer}`, ...Array.from({ length: heads[which] }, (_x, n) => one(layer, n)));
        const rows = Array.from({ length: count }, (_x, layer) => row(layer));
        return h("div", { class: "ptm-grid", role: "group", "aria-label": name }, h("p", {}, `${name}: a row a layer`), ...rows);
      }),
    );
  };

  /** Everything that lines and colours say, in numbers: each token's three strongest keys. */
  const table = () => {
    const { tokens } = frame();
    const body = h("tbody", {});
    tokens.forEach((token, i) =>
      names().forEach((name, which) => {
        const maps = pictures[which];
        const all = tokens.map((_t, j) => [Math.max(...maps.map(([, at]) => at(i, j))), j]);
        const best = all.sort((a, b) => b[0] - a[0]).slice(0, 3);
        const cells = best.map(([x, j]) => h("td", {}, h("bdi", {}, tokens[j]), ` ${number(x)}`));
        body.append(h("tr", {}, h("th", { scope: "row" }, h("bdi", {}, token)), h("td", {}, name), ...cells));
      }),
    );
    const head = ["token", "model", "most", "second", "third"].map((text) => h("th", { scope: "col" }, text));
    return h("table", { class: "ptm-verdict" }, h("thead", {}, h("tr", {}, ...head)), body);
  };

  /** Query times key, dimension by dimension, of the pair that was asked for. */
  const askBest = (i) => {
    if (!get("live")) return;
    const [, at] = pictures[0][0];
    const best = frame().tokens.map((_t, j) => at(i, j));
    pairOf(i, best.indexOf(Math.max(...best)));
  };
  const pairOf = (i, j) => {
    const pair = [0, chosen(0)[0], i, j];
    if (String(pair) !== String(get("asked"))) ask("asked", pair); // else nothing would be sent, nothing come back
  };
  const showProducts = () => {
    const { asked, pair, query, key, products, rest } = get("answer") ?? {};
    if (!asked) return neurons.replaceChildren();
    const most = Math.max(...products.map(Math.abs), 1e-9);
    const row = (x, n) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, n),
        h("td", {}, query[n].toFixed(2)),
        h("td", {}, key[n].toFixed(2)),
        h("td", { class: x < 0 ? "ptm-less" : "ptm-more" }, bar(Math.abs(x) / most), ` ${x.toFixed(3)}`),
      );
    const bar = (share) => {
      const element = h("span", { class: "ptm-share" });
      element.style.width = `${(100 * share).toFixed(1)}px`;
      return element;
    };
    const [place, score, weight] = rest;
    const more = place ? ` Position and segment add ${place.toFixed(3)}.` : "";
    const keys = frame().tokens.map((token, j) => [String(j), token]);
    const other = choice("key", keys, String(asked[3]), (j) => pairOf(asked[2], Number(j)));
    const titles = ["dimension", "query", "key", "product / √K"].map((text) => h("th", { scope: "col" }, text));
    renew(
      neurons,
      h("h4", {}, "Query ", h("bdi", {}, pair[0]), `, head ${asked[1]} of layer ${get("layer")}`),
      h("p", { class: "ptm-actions" }, other.element),
      h("p", {}, `The products add up to the score ${score.toFixed(3)}, a weight of ${weight.toFixed(3)}.${more}`),
      h("table", { class: "ptm-verdict" }, h("thead", {}, h("tr", {}, ...titles)), h("tbody", {}, ...products.map(row))),
    );
  };

  const stage = h("div", { class: "ptm-results ptm-stage", tabindex: "0", role: "region", "aria-label": "Picture" });
  const { ask, lines: trouble } = asks(model, stop, stage);
  const notice = h("p", { class: "ptm-notice", role: "status" });
  const neurons = h("div", { class: "ptm-cut" });
  const headList = h("div", { class: "ptm-actions", role: "group", "aria-label": "Heads" });
  const asTable = h("details", { class: "ptm-table" }, h("summary", {}, "The same as a table"));
  const fillTable = () => {
    asTable.querySelector("table")?.remove();
    if (asTable.open && layers.length) asTable.append(table());
  };
  asTable.addEventListener("toggle", fillTable);

  const drawHeads = () => {
    const count = Math.max(...(frame().heads ?? [1]));
    const press = (head) => {
      const rest = state.heads.filter((other) => other !== head);
      state.heads = rest.length < state.heads.length ? (rest.length ? rest : [head]) : [...state.heads, head].sort((a, b) => a - b);
      draw();
    };
    const button = (head) => {
      const swatch = h("span", { class: "ptm-swatch" });
      swatch.style.background = colour(head);
      const on = String(state.heads.includes(head));
      return h("button", { type: "button", "aria-pressed": on, onclick: () => press(head) }, swatch, `head ${head}`);
    };
    const all = () => {
      state.heads = state.heads.length === count ? [0] : Array.from({ length: count }, (_x, n) => n);
      draw();
    };
    const buttons = Array.from({ length: count }, (_x, head) => button(head));
    renew(headList, ...(count > 1 ? [...buttons, h("button", { type: "button", onclick: all }, "all")] : []));
  };
  const draw = () => {
    if (!layers.length) return;
    state.token = null;
    readout.textContent = "";
    const { total, first, tokens, notice: said } = frame();
    const part = total > tokens.length ? `Tokens ${first} to ${first + tokens.length - 1} of ${total}.` : "";
    notice.textContent = [said, part].filter(Boolean).join(" ");
    drawHeads();
    pictures = panels().map((_name, which) => mapsOf(which));
    renew(stage, { lines, matrix, grid }[state.view]());
    fillTable();
  };
  const arrive = () => {
    const now = frame();
    const maps = get("maps");
    if (!now.tokens || maps.some((view, n) => view.byteLength !== now.heads[n] * now.tokens.length ** 2 * now.bytes)) return;
    layers = maps.map((view, n) => new Maps(view, now, n));
    settings();
    draw();
  };

  const change = (name) => (value) => {
    state[name] = value;
    draw();
  };
  const views = choice("view", [["lines", "lines"], ["matrix", "matrix"], ["grid", "all heads"]], "lines", change("view"));
  const controls = h("div", { class: "ptm-actions ptm-controls" });
  /** Built anew when what may be chosen has changed. */
  let built = "";
  const settings = () => {
    const { layers: count, total, sections, tokens, first } = frame();
    const wanted = JSON.stringify([count, total, new Set(sections).size, get("measure")]);
    if (wanted === built) return (layerChoice.select.value = String(get("layer")));
    built = wanted;
    const { measures, streams } = get("choices");
    const numbers = Array.from({ length: count }, (_x, n) => [String(n), String(n)]);
    layerChoice = choice("layer", numbers, String(get("layer")), (value) => ask("layer", Number(value)));
    const parts = [["all", "all"], ["00", "A → A"], ["01", "A → B"], ["10", "B → A"], ["11", "B → B"]];
    const least = h("input", { type: "range", min: "0", max: "0.5", step: "0.01", "aria-label": "smallest share of the peak" });
    least.value = state.least;
    least.addEventListener("input", () => change("least")(Number(least.value)));
    const asked = get("live")
      ? [
          choice("measure", Object.keys(measures).map((key) => [key, key]), get("measure"), (x) => ask("measure", x)).element,
          ...(streams.length > 1 ? [choice("stream", streams.map((x) => [x, x]), get("stream"), (x) => ask("stream", x)).element] : []),
          toggle("whole words", get("words"), (on) => ask("words", on)),
        ]
      : [];
    const windows = Array.from({ length: Math.ceil(total / tokens.length) }, (_x, n) => String(n * tokens.length));
    renew(
      controls,
      views.element,
      layerChoice.element,
      choice("several heads", [["each", "each"], ["mean", "mean"], ["maximum", "maximum"]], state.how, change("how")).element,
      ...asked,
      h("label", {}, "at least", least),
      toggle("hide special tokens", state.hide, change("hide")),
      ...(new Set(sections).size > 1 ? [choice("parts", parts, state.section, change("section")).element] : []),
      ...(total > tokens.length && get("live")
        ? [choice("from token", windows.map((x) => [x, x]), String(first), (x) => ask("start", Number(x))).element]
        : []),
    );
    measureLine.textContent = measures[get("measure")] ?? "";
  };
  let layerChoice = choice("layer", [], "", () => {});
  const measureLine = h("p", { class: "ptm-done" });

  const events = { "change:frame": arrive, "change:maps": arrive, "change:answer": showProducts };
  for (const [event, listener] of Object.entries(events)) {
    model.on(event, listener);
    stop.push(() => model.off(event, listener));
  }
  const typed = get("live")
    ? [["Text", "text"], ["Second text", "pair"]].map(([label, name]) => h("label", {}, label, textInput(model, stop, 800, ask, name)))
    : [h("p", {}, h("bdi", {}, [get("text"), get("pair")].filter(Boolean).join(" ‖ ")))];
  el.append(
    h(
      "div",
      { class: "ptm-widget ptm-explorer", role: "group", "aria-label": get("label"), onkeydown: ours },
      h("div", { class: "ptm-actions ptm-texts" }, ...typed),
      controls,
      measureLine,
      headList,
      ...trouble,
      notice,
      readout,
      stage,
      neurons,
      asTable,
    ),
  );
  arrive();
  showProducts();
  return () => stop.forEach((end) => end());
}

export default { render };
