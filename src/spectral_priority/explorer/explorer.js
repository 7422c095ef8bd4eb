// The explorer of the report page: reads the numbers in the page, and draws what the reader chooses. No request leaves it.
"use strict";
(() => {
  const COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]; // Okabe & Ito 2008
  const WIDTHS = [2.4, 1.6, 1.1, 0.8]; // by draw: the draws of a level share its colour
  const MOST_LINES = 24;
  const MISSING = 65535;
  const ERRORS = 1; // of Vega's log levels: axes without rows are no news
  const place = (id) => document.getElementById(id);
  const data = JSON.parse(place("explorer-data").textContent);
  const views = {};
  const colours = new Map(); // level and recipe → place in COLOURS, kept as long as it is chosen

  // --- numbers -------------------------------------------------------------------------------------------------

  function unpack(stored) {
    const bytes = Uint8Array.from(atob(stored.data), (letter) => letter.charCodeAt(0));
    const whole = new DataView(bytes.buffer);
    const width = stored.shape.length > 1 ? stored.shape[1] : 1;
    const numbers = Array.from({ length: bytes.length / 2 }, (_, i) => {
      const value = whole.getUint16(2 * i, true);
      return value === MISSING ? NaN : (value / (MISSING - 1)) * stored.top;
    });
    if (stored.shape.length === 1) return numbers;
    return Array.from({ length: stored.shape[0] }, (_, row) => numbers.slice(row * width, (row + 1) * width));
  }

  const several = new Set(data.lines.map((line) => line.recipe)).size > 1;
  for (const line of data.lines) {
    for (const name of ["share", "share_se", "bands", "bands_se", "centroid", "centroid_se"]) line[name] = unpack(line[name]);
    line.name = several ? `${line.tier}, ${line.recipe}` : line.tier;
    line.task = `${line.family}: ${line.level}`;
  }
  for (const curve of data.curves) {
    for (const part of [curve.mean, curve.error]) for (const name of Object.keys(part)) part[name] = unpack(part[name]);
  }
  const curveOf = new Map(data.curves.map((curve) => [`${curve.tier}\n${curve.recipe}`, curve]));
  const unique = (values) => [...new Set(values)];
  const decimals = (value) => (value >= 100 ? 1 : value >= 1 ? 2 : value >= 0.1 ? 3 : 4);
  const text = (value, digits = decimals(value)) => (Number.isFinite(value) ? value.toFixed(digits) : "–");
  const withError = (value, error, digits = decimals(value)) =>
    text(value, digits) + (Number.isFinite(error) ? ` ± ${error.toFixed(digits)}` : "");

  function lastUpTo(steps, step) {
    let found = 0;
    while (found + 1 < steps.length && steps[found + 1] <= step) found += 1;
    return found;
  }

  // --- what is chosen ------------------------------------------------------------------------------------------

  function boxes(id, values, chosen) {
    const area = place(id).querySelector(".boxes");
    for (const value of values) {
      const label = document.createElement("label");
      const box = Object.assign(document.createElement("input"), { type: "checkbox", value, checked: chosen.includes(value) });
      box.addEventListener("change", choose);
      label.append(box, ` ${value}`);
      area.append(label);
    }
    place(id).hidden = values.length < 2;
  }

  const checked = (id) => [...place(id).querySelectorAll("input:checked")].map((box) => box.value);

  let lines = [];
  let steps = [];

  function choose() {
    const [tasks, draws, recipes] = ["choose-tiers", "choose-draws", "choose-recipes"].map(checked);
    const fitting = data.lines.filter(
      (line) =>
        line.instance === place("measure").value &&
        tasks.includes(line.task) &&
        draws.includes(String(line.draw)) &&
        recipes.includes(line.recipe),
    );
    lines = fitting.slice(0, MOST_LINES);
    const keys = new Set(lines.map((line) => `${line.task}\n${line.recipe}`));
    for (const key of colours.keys()) if (!keys.has(key)) colours.delete(key);
    for (const key of keys) {
      if (colours.has(key)) continue;
      const used = [...colours.values()];
      const free = COLOURS.findIndex((_, i) => !used.includes(i));
      colours.set(key, free >= 0 ? free : colours.size % COLOURS.length);
    }
    for (const line of lines) {
      line.colour = COLOURS[colours.get(`${line.task}\n${line.recipe}`)];
      line.width = WIDTHS[Math.min(line.draw, WIDTHS.length - 1)];
    }
    const before = steps.length ? steps[place("checkpoint").value] : Infinity;
    steps = unique(lines.flatMap((line) => line.steps)).sort((a, b) => a - b);
    place("checkpoint").max = Math.max(0, steps.length - 1);
    place("checkpoint").value = lastUpTo(steps, before);
    place("explorer-note").textContent = !lines.length
      ? "Nothing is chosen: tick a task, a draw and a recipe that were trained together."
      : fitting.length > lines.length
        ? `The first ${MOST_LINES} of ${fitting.length} lines are drawn.`
        : "";
    drawCurves();
    drawCheckpoint();
    offer();
  }

  // --- rows of the charts --------------------------------------------------------------------------------------

  const look = (line) => ({ name: line.name, colour: line.colour, width: line.width });
  const about = (value, error) => ({ value, low: value - (error || 0), high: value + (error || 0), shown: withError(value, error) });

  function profileRows(line, at, state) {
    return line.share[at].map((share, i) => ({
      ...look(line),
      ...about(share, line.share_se[at][i]),
      state: state === "untrained" ? state : "chosen",
      where: `ring ${i + 1} (${text((i + 1) / line.size)} cycles/pixel), step ${line.steps[at]}`,
      ring: i + 1,
    }));
  }

  function curveRows(line, of, values, errors) {
    return of.steps.map((step, i) => ({
      ...look(line),
      ...about(values[i], errors[i]),
      where: `step ${step}, epoch ${of.epochs[i]}`,
      step,
    }));
  }

  function show(name, rows, signals = {}) {
    const view = views[name];
    for (const [signal, value] of Object.entries(signals)) view.signal(signal, value);
    view.data("rows", rows);
    return view.runAsync();
  }

  function drawCurves() {
    ["low", "mid", "high"].forEach((name, band) => {
      const rows = lines.flatMap((line) => curveRows(line, line, line.bands.map((b) => b[band]), line.bands_se.map((b) => b[band])));
      show(name, rows);
    });
    for (const [name, quantity] of [["accuracy", "validation_accuracy"], ["loss", "loss_fraction"]]) {
      show(name, lines.flatMap((line) => {
        const curve = curveOf.get(`${line.tier}\n${line.recipe}`);
        return curve ? curveRows(line, curve, curve.mean[quantity], curve.error[quantity]) : [];
      }));
    }
  }

  function drawCheckpoint() {
    const slider = place("checkpoint");
    const step = steps[slider.value] ?? 0;
    const at = lines.map((line) => lastUpTo(line.steps, step));
    const epochs = unique(lines.map((line, i) => line.epochs[at[i]]));
    const name = `step ${step}${epochs.length === 1 ? `, epoch ${epochs[0]}` : ""}${step === 0 ? " (untrained)" : ""}`;
    place("checkpoint-name").textContent = name;
    slider.setAttribute("aria-valuetext", name);
    const rows = lines.flatMap((line, i) => [...profileRows(line, 0, "untrained"), ...profileRows(line, at[i], "chosen")]);
    const shares = lines.flatMap((line) => line.share.flat()).filter(Number.isFinite);
    const top = shares.reduce((most, share) => Math.max(most, share), 0.01) * 1.05; // the axis stands still while one slides
    show("profile", rows, { top });
    for (const name of ["low", "mid", "high", "accuracy", "loss"]) views[name].data("rule", [{ step }]).runAsync();
    fillTable(at, step);
  }

  function fillTable(at, step) {
    place("explorer-table").tBodies[0].replaceChildren(
      ...lines.map((line, i) => {
        const k = at[i];
        const curve = curveOf.get(`${line.tier}\n${line.recipe}`);
        const c = curve ? lastUpTo(curve.steps, step) : 0;
        const learnt = (name) => (curve ? withError(curve.mean[name][c], curve.error[name][c], 3) : "–");
        const row = document.createElement("tr");
        const head = Object.assign(document.createElement("th"), { scope: "row" });
        const swatch = Object.assign(document.createElement("span"), { className: "swatch" });
        swatch.style.borderTopColor = line.colour;
        swatch.style.borderTopWidth = `${line.width + 0.6}px`;
        head.append(swatch, line.name);
        const cells = [
          line.steps[k],
          withError(line.centroid[k], line.centroid_se[k], 2),
          ...[0, 1, 2].map((band) => withError(line.bands[k][band], line.bands_se[k][band], 3)),
          learnt("validation_accuracy"),
          learnt("loss_fraction"),
          line.seeds,
        ];
        row.append(head, ...cells.map((cell) => Object.assign(document.createElement("td"), { textContent: cell })));
        return row;
      }),
    );
  }

  // --- what can be taken along ---------------------------------------------------------------------------------

  const KEYS = ["tier", "family", "level", "draw", "recipe", "instance", "seeds"];
  const cell = (value) => {
    const written = typeof value === "number" ? (Number.isFinite(value) ? String(Number(value.toPrecision(5))) : "") : String(value);
    return /[",\n]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written;
  };
  const csv = (head, rows) => [head, ...rows].map((row) => row.map(cell).join(",")).join("\n") + "\n";

  function profilesCsv() {
    const rows = lines.flatMap((line) =>
      line.steps.flatMap((step, k) =>
        line.share[k].map((share, i) => [...KEYS.map((key) => line[key]), step, line.epochs[k], i + 1, share, line.share_se[k][i]]),
      ),
    );
    return csv([...KEYS, "step", "epoch", "ring", "share", "standard_error"], rows);
  }

  function curvesCsv() {
    const rows = lines.flatMap((line) => {
      const keys = KEYS.map((key) => line[key]);
      const of = (one, quantity, values, errors) => one.steps.map((step, k) => [...keys, step, one.epochs[k], quantity, values[k], errors[k]]);
      const bands = ["low_share", "mid_share", "high_share"].flatMap((name, b) =>
        of(line, name, line.bands.map((share) => share[b]), line.bands_se.map((share) => share[b])),
      );
      const curve = curveOf.get(`${line.tier}\n${line.recipe}`);
      const learnt = curve ? Object.keys(curve.mean).flatMap((name) => of(curve, name, curve.mean[name], curve.error[name])) : [];
      return [...of(line, "centroid", line.centroid, line.centroid_se), ...bands, ...learnt];
    });
    return csv([...KEYS, "step", "epoch", "quantity", "value", "standard_error"], rows);
  }

  function offer() {
    for (const [id, make] of [["download-profiles", profilesCsv], ["download-curves", curvesCsv]]) {
      const link = place(id);
      link.download = `${data.study}-${id.replace("download-", "")}.csv`;
      link.onclick = () => {
        const address = URL.createObjectURL(new Blob([make()], { type: "text/csv" }));
        link.href = address;
        setTimeout(() => URL.revokeObjectURL(address), 60000);
      };
    }
  }

  // --- start ---------------------------------------------------------------------------------------------------

  async function start() {
    place("explorer").hidden = false;
    const tasks = unique(data.lines.map((line) => line.task));
    const first = data.lines[0].family;
    boxes("choose-tiers", tasks, tasks.filter((task) => task.startsWith(`${first}: `)));
    const draws = unique(data.lines.map((line) => String(line.draw)));
    boxes("choose-draws", draws, ["0"]);
    const recipes = unique(data.lines.map((line) => line.recipe));
    const own = unique(data.lines.filter((line) => line.family === first).map((line) => line.recipe));
    boxes("choose-recipes", recipes, own.includes(data.recipe) ? [data.recipe] : own.slice(0, 1));
    const measures = unique(data.lines.map((line) => line.instance));
    place("measure").append(...measures.map((name) => new Option(name, name, name === data.measure, name === data.measure)));
    place("choose-measure").hidden = measures.length < 2;
    place("measure").addEventListener("change", choose);
    let waiting = false;
    place("checkpoint").addEventListener("input", () => {
      if (waiting) return; // one drawing a frame, however fast the slider moves
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        drawCheckpoint();
      });
    });
    for (const [name, chart] of Object.entries(data.charts)) {
      const made = await vegaEmbed(`#chart-${name}`, chart, { actions: false, renderer: "svg", tooltip: { theme: "light" }, logLevel: ERRORS });
      views[name] = made.view;
    }
    choose();
    document.documentElement.dataset.explorer = "ready";
  }

  start();
})();
