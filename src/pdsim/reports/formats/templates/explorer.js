"use strict";
(() => {
  const root = document.getElementById("explorer");
  const data = JSON.parse(document.getElementById("explorer-data").textContent);
  const F = data.facilities.length, K = data.indicators.length, M = data.m, D = data.values.length;
  const EQUAL = 1e-12;
  const MINUS = "\u2212";

  // --- the computation, the same as explorer_table and single_flips in pdsim.reports.explorer

  function normalised(kind) {
    const source = data.tables[kind] || data.values;
    const factors = data.factors[kind];
    const out = new Float64Array(D * F * K);
    for (let d = 0, n = 0; d < D; d++)
      for (let i = 0; i < F; i++)
        for (let k = 0; k < K; k++, n++)
          out[n] = factors ? factors[d][k] * source[d][i * K + k] : source[d][i * K + k];
    return out;
  }

  function clip(x) { return Math.min(1, Math.max(0, x)); }

  function chosen(p) {
    const ordered = Array.from(p).sort((a, b) => b - a);
    const cut = ordered[M - 1];
    const tie = cut - ordered[M] <= EQUAL;
    return Array.from(p, (x) => (tie ? x > cut + EQUAL : x >= cut));
  }

  function table(values, weights) {
    const top = new Float64Array(F), bottom = new Float64Array(F), rank = new Float64Array(F);
    const mean = new Float64Array(F), score = new Float64Array(F);
    for (let d = 0; d < D; d++) {
      for (let i = 0; i < F; i++) {
        let s = 0;
        for (let k = 0; k < K; k++) s += weights[k] * values[(d * F + i) * K + k];
        score[i] = s;
        mean[i] += s / D;
      }
      for (let i = 0; i < F; i++) {
        let ahead = 0, tied = 0;
        for (let j = 0; j < F; j++) {
          if (score[j] > score[i]) ahead++;
          else if (score[j] === score[i]) tied++;
        }
        top[i] += clip((M - ahead) / tied);
        bottom[i] += clip((M - (F - ahead - tied)) / tied);
        rank[i] += ahead + 0.5 * (tied + 1);
      }
    }
    for (let i = 0; i < F; i++) { top[i] /= D; bottom[i] /= D; rank[i] /= D; }
    return { top, bottom, rank, mean, selectedTop: chosen(top), selectedBottom: chosen(bottom) };
  }

  function nearestFlip(values, weights) {
    const mean = Array.from({ length: F }, () => new Float64Array(K));
    for (let d = 0; d < D; d++)
      for (let i = 0; i < F; i++)
        for (let k = 0; k < K; k++) mean[i][k] += values[(d * F + i) * K + k] / D;
    const score = mean.map((row) => row.reduce((s, v, k) => s + v * weights[k], 0));
    const order = score.map((_, i) => i).sort((a, b) => score[b] - score[a] || a - b);
    let best = null;
    for (let k = 0; k < K; k++) {
      const w = weights[k];
      if (w >= 1) continue;
      const rest = score.map((s, i) => (s - w * mean[i][k]) / (1 - w));
      const slope = rest.map((r, i) => mean[i][k] - r);
      for (const side of ["top", "bottom"]) {
        const inside = side === "top" ? order.slice(0, M) : order.slice(F - M);
        for (const a of inside)
          for (const b of order) {
            if (inside.includes(b)) continue;
            const at = (rest[b] - rest[a]) / (slope[a] - slope[b]);
            if (!(at >= 0 && at <= 1)) continue;
            if (best === null || Math.abs(at - w) < Math.abs(best.at - best.weight))
              best = { k, weight: w, at, side, leaves: a, enters: b };
          }
      }
    }
    return best;
  }

  // --- weights from sliders: a share for each domain, and shares within it

  const domains = [...new Set(data.indicators.map((one) => one.domain))];
  const nominal = data.indicators.map((one) => one.weight);
  const members = domains.map((name) => data.indicators.flatMap((one, k) => (one.domain === name ? [k] : [])));
  const domainShare = members.map((part) => part.reduce((s, k) => s + nominal[k], 0));
  const within = nominal.map((w, k) => {
    const total = domainShare[domains.indexOf(data.indicators[k].domain)];
    return total > 0 ? w / total : 0;
  });
  const start = { domain: domainShare.slice(), within: within.slice() };
  const state = { domain: domainShare.slice(), within: within.slice(), kind: "pp", touched: false };

  function weights() {
    if (!state.touched) return nominal.slice();
    const out = new Array(K).fill(0);
    const total = state.domain.reduce((s, x) => s + x, 0);
    members.forEach((part, n) => {
      const share = total > 0 ? state.domain[n] / total : 1 / domains.length;
      const inner = part.reduce((s, k) => s + state.within[k], 0);
      for (const k of part) out[k] = share * (inner > 0 ? state.within[k] / inner : 1 / part.length);
    });
    return out;
  }

  function toml(current) {
    const parts = current.map((w) => Math.round(1e6 * w));
    parts[parts.indexOf(Math.max(...parts))] += 1e6 - parts.reduce((s, x) => s + x, 0);
    const lines = parts.map((part, k) => `${JSON.stringify(data.indicators[k].name)} = ${(part / 1e6).toFixed(6)}`);
    return ["[weights]", ...lines].join("\n") + "\n";
  }

  // --- the page: text only ever goes in by textContent

  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    for (const child of children) node.append(child);
    return node;
  }

  function bdi(text) { return make("bdi", {}, text); }
  function shown(x, digits) { return x.toFixed(digits).replace("-", MINUS); }
  function probability(x) {
    if (x === 0) return `below ${(Math.ceil(3000 / D) / 1000).toFixed(3)}`;
    if (x === 1) return `above ${(1 - Math.ceil(3000 / D) / 1000).toFixed(3)}`;
    let digits = x < 0.01 || x > 0.99 ? 3 : 2;
    // no rounding carries a value across the limit from which text says certain
    while ((Number(x.toFixed(digits)) >= data.certain) !== (x >= data.certain) && digits < 12) digits++;
    return shown(x, digits);
  }

  let number = 0;

  function slider(label, value, change) {
    const id = `explorer-${++number}`;
    const input = make("input", { type: "range", id, min: "0", max: "100", step: "any" });
    input.value = String(100 * value);
    const output = make("output", { for: id });
    input.addEventListener("input", () => { change(Number(input.value) / 100); state.touched = true; schedule(); });
    const row = make("div", { class: "slider" }, make("label", { for: id }, bdi(label)), input, output);
    return { row, input, output };
  }

  const domainSliders = [], withinSliders = [];
  const controls = make("div", { class: "controls" });
  const kindId = "explorer-kind";
  const select = make("select", { id: kindId });
  for (const [key, text] of Object.entries(data.normalisations)) select.append(make("option", { value: key }, text));
  select.addEventListener("change", () => { state.kind = select.value; schedule(); });
  controls.append(make("p", {}, make("label", { for: kindId }, "Indicators are taken "), select));
  members.forEach((part, n) => {
    const field = make("fieldset", {}, make("legend", {}, bdi(domains[n] || "Indicators")));
    if (domains.length > 1) {
      const one = slider("Weight of the domain", state.domain[n], (x) => { state.domain[n] = x; });
      domainSliders.push(one);
      one.row.classList.add("domain");
      field.append(one.row);
    }
    for (const k of part) {
      const one = slider(data.indicators[k].label, state.within[k], (x) => { state.within[k] = x; });
      withinSliders[k] = one;
      field.append(one.row);
    }
    controls.append(field);
  });
  const reset = make("button", { type: "button" }, "Back to the weights of the study");
  reset.addEventListener("click", () => {
    state.domain = start.domain.slice();
    state.within = start.within.slice();
    state.touched = false;
    state.kind = select.value = "pp";
    domainSliders.forEach((one, n) => { one.input.value = String(100 * state.domain[n]); });
    withinSliders.forEach((one, k) => { one.input.value = String(100 * state.within[k]); });
    schedule();
  });
  controls.append(make("p", {}, reset));

  const status = make("p", { class: "status", role: "status", "aria-live": "polite" });
  const flipText = make("p", {});
  const body = make("tbody");
  const result = make("div", { class: "scroll", role: "region", tabindex: "0", "aria-labelledby": "explorer-caption" },
    make("table", { id: "explorer-table" },
      make("caption", { id: "explorer-caption" }, make("span", {}, "With the weights set here")),
      make("thead", {}, make("tr", {}, ...["Facility", `P(top ${M})`, `P(bottom ${M})`, "Expected rank", "Selected"].map(
        (text) => make("th", { scope: "col" }, text)))),
      body));
  const area = make("textarea", { id: "explorer-toml", readonly: "", rows: String(Math.min(12, K + 2)), spellcheck: "false" });
  const copy = make("button", { type: "button" }, "Copy");
  copy.addEventListener("click", () => {
    area.select();
    if (navigator.clipboard) navigator.clipboard.writeText(area.value).catch(() => area.select());
  });
  root.append(controls, status, flipText, result,
    make("p", {}, make("label", { for: "explorer-toml" }, "These weights for a study.toml:")), area, make("p", {}, copy));

  const cache = {};
  function values(kind) { return cache[kind] || (cache[kind] = normalised(kind)); }
  const reference = table(values("pp"), nominal);

  function changed(now, before) {
    const named = (wanted) => wanted.map((i) => data.facilities[i]);
    const all = Array.from({ length: F }, (_, i) => i);
    return { leaves: named(all.filter((i) => before[i] && !now[i])), enters: named(all.filter((i) => !before[i] && now[i])) };
  }

  function describe(label, change) {
    const moves = [["leaves", change.leaves], ["enters", change.enters]];
    const nodes = moves.flatMap(([verb, names]) => names.flatMap((x) => [", ", bdi(x), ` ${verb}`])).slice(1);
    return nodes.length ? [`${label}: `, ...nodes, ". "] : [];
  }

  function update() {
    const current = weights();
    const kind = values(state.kind);
    const now = table(kind, current);
    const total = state.domain.reduce((s, x) => s + x, 0);
    domainSliders.forEach((one, n) => { one.output.textContent = `${shown(total > 0 ? (100 * state.domain[n]) / total : 100 / domains.length, 1)}\u00a0%`; });
    withinSliders.forEach((one, k) => { one.output.textContent = `${shown(100 * current[k], 1)}\u00a0%`; });
    const nodes = [
      ...describe(`Top ${M}`, changed(now.selectedTop, reference.selectedTop)),
      ...describe(`Bottom ${M}`, changed(now.selectedBottom, reference.selectedBottom)),
    ];
    status.classList.toggle("flipped", nodes.length > 0);
    status.replaceChildren(...(nodes.length ? ["The selection changes. ", ...nodes] : ["The selection is that of the study's weights."]));
    const flip = nearestFlip(kind, current);
    if (flip === null) flipText.replaceChildren("No single weight, the others in proportion, changes who is selected by the posterior mean.");
    else flipText.replaceChildren(
      "Nearest flip by one weight, the others in proportion, by the posterior mean: ", bdi(data.indicators[flip.k].label),
      ` from ${shown(100 * flip.weight, 1)}\u00a0% to ${shown(100 * flip.at, 1)}\u00a0%, where `, bdi(data.facilities[flip.leaves]),
      ` leaves the ${flip.side} ${M} and `, bdi(data.facilities[flip.enters]), " enters.");
    const order = Array.from({ length: F }, (_, i) => i).sort((a, b) => now.rank[a] - now.rank[b] || a - b);
    body.replaceChildren(...order.map((i) => {
      const text = [];
      if (now.selectedTop[i]) text.push(`top ${M}`);
      if (now.selectedBottom[i]) text.push(`bottom ${M}`);
      if (now.selectedTop[i] !== reference.selectedTop[i] || now.selectedBottom[i] !== reference.selectedBottom[i]) text.push("changed");
      return make("tr", { "data-facility": String(i) },
        make("th", { scope: "row" }, bdi(data.facilities[i])),
        make("td", { class: "num", "data-value": String(now.top[i]) }, probability(now.top[i])),
        make("td", { class: "num", "data-value": String(now.bottom[i]) }, probability(now.bottom[i])),
        make("td", { class: "num", "data-value": String(now.rank[i]) }, shown(now.rank[i], 2)),
        make("td", {}, text.join(", ")));
    }));
    area.value = toml(current);
    root.dataset.weights = JSON.stringify(current);
    root.dataset.flip = JSON.stringify(flip);
  }

  let waiting = false;
  function schedule() {
    if (waiting) return;
    waiting = true;
    // a timer and not a frame: it also runs where nothing is drawn
    setTimeout(() => { waiting = false; update(); }, 16);
  }
  root.hidden = false;
  update();
})();
