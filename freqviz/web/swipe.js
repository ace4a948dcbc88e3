// Figures A and B on each other: a divider with A left and B right of it, A and B in turn, or their difference.
// All of it happens here; the server sends the three figures and hears, at rest, what the address is to say of the view:
// by trigger "view", {view, turn}. `turn` counts what was told and comes back with the server's `shown`, so that an
// answer to an earlier message changes nothing. What is chosen outlives new figures.
const STEP = 0.02, LEAP = 0.1; // of the picture's width: what an arrow moves the divider, without and with Shift
const REST = 400; // milliseconds without a key until the server is told
const TURN = 800; // milliseconds: slower than three changes a second, so that nothing flashes
const states = new WeakMap(); // by parentElement

export default function ({ data, parentElement, setTriggerValue }) {
  let state = states.get(parentElement);
  if (!state) {
    state = comparison(parentElement, data);
    states.set(parentElement, state);
  }
  state.take(data, setTriggerValue);
  return () => {
    state.close();
    states.delete(parentElement);
  };
}

function comparison(parent, { shown: start, turn: begun }) {
  const find = (name) => parent.querySelector(name);
  const stage = find(".stage"), canvas = find("canvas"), divider = find(".divider"), note = find(".note");
  const exchange = find(".exchange"), turns = find(".turns"), scale = find(".scale");
  const modes = [...parent.querySelectorAll("[data-mode]")];
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let data = null, pictures = []; // of the last message, once its pictures are decoded
  let mode = "swipe", share = 0.5, shown = "a", timer = 0, messages = 0, dragging = false;
  let trigger = null, told = start, turn = begun, waiting = 0; // told: what the server knows of the view
  restore(start);

  async function take(news, tells) {
    const mine = ++messages;
    trigger = tells;
    if (news.turn >= turn && news.shown !== told) {
      // the address has changed: someone went back
      rest();
      clearTimeout(waiting);
      told = news.shown;
      restore(told);
    }
    const loaded = await Promise.all(news.pictures.map(decoded));
    if (mine !== messages) return; // a newer one has come meanwhile
    [data, pictures] = [news, loaded];
    draw();
  }

  async function decoded(address) {
    const picture = new Image();
    picture.src = address;
    await picture.decode();
    return picture;
  }

  // -------- the view as the address says it: "swipe 35" (percent of A), "blink b", "difference"

  function restore(view) {
    const [wanted, more] = view.split(" ");
    if (!modes.some((button) => button.dataset.mode === wanted)) return;
    mode = wanted;
    if (mode === "swipe" && more !== undefined && isFinite(more)) share = Math.min(Math.max(more / 100, 0), 1);
    if (mode === "blink") shown = more === "b" ? "b" : "a";
  }

  function written() {
    return mode === "swipe" ? `swipe ${Math.round(100 * share)}` : mode === "blink" ? `blink ${shown}` : mode;
  }

  function tell(patience = 0) {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (timer || dragging || written() === told) return; // in turn: the view does not rest
      told = written();
      turn += 1;
      trigger("view", { view: told, turn });
    }, patience);
  }

  // -------- the picture

  // Data to pixels of the canvas: one scale in both directions, the view in the middle.
  function places() {
    const [left, right, bottom, top] = data.view;
    const size = Math.min(canvas.width / Math.abs(right - left), canvas.height / Math.abs(bottom - top));
    const [middle, height] = [(left + right) / 2, (top + bottom) / 2];
    const x = (value) => canvas.width / 2 + (value - middle) * size * Math.sign(right - left);
    const y = (value) => canvas.height / 2 + (value - height) * size * Math.sign(bottom - top);
    return { x, y, left: x(left), right: x(right), top: y(top), bottom: y(bottom) };
  }

  function draw() {
    if (!data) return;
    stage.style.height = `${data.height}px`;
    const ratio = window.devicePixelRatio || 1;
    [canvas.width, canvas.height] = [Math.round(stage.clientWidth * ratio), Math.round(stage.clientHeight * ratio)];
    const brush = canvas.getContext("2d"), place = places();
    const edge = place.left + share * (place.right - place.left);
    if (mode === "swipe") {
      paint(brush, place, "a", place.left, edge, ratio);
      paint(brush, place, "b", edge, place.right, ratio);
    } else {
      paint(brush, place, mode === "blink" ? shown : "difference", place.left, place.right, ratio);
    }
    brush.strokeStyle = getComputedStyle(stage).getPropertyValue("--st-border-color");
    brush.lineWidth = ratio;
    brush.strokeRect(place.left, place.top, place.right - place.left, place.bottom - place.top);
    divider.hidden = mode !== "swipe";
    divider.style.left = `${edge / ratio}px`;
    describe();
  }

  function paint(brush, place, layer, from, to, ratio) {
    const { x, y, top, bottom } = place, { pictures: placed, lines, dots } = data.layers[layer];
    brush.save();
    brush.beginPath();
    brush.rect(from, top, to - from, bottom - top);
    brush.clip();
    brush.imageSmoothingEnabled = !data.layers[layer].scale; // cells of a map stay cells
    for (const [index, left, up, right, down] of placed)
      brush.drawImage(pictures[index], x(left), y(up), x(right) - x(left), y(down) - y(up));
    brush.lineCap = "round";
    for (const casing of [true, false])
      for (const { way, colour, dash, solid } of lines) {
        brush.setLineDash(casing ? [] : dash.map((length) => length * ratio));
        brush.lineWidth = (data.line + (casing ? 3 : 0)) * ratio;
        brush.strokeStyle = casing ? data.casing : colour;
        brush.globalAlpha = (casing ? 0.55 : 1) * solid;
        brush.beginPath();
        let pen = false;
        for (const [px, py] of way) {
          if (px === null || py === null) pen = false;
          else if (pen) brush.lineTo(x(px), y(py));
          else {
            brush.moveTo(x(px), y(py));
            pen = true;
          }
        }
        brush.stroke();
      }
    brush.setLineDash([]);
    for (const { at: [px, py], colour, solid } of dots) {
      if (px === null || py === null) continue;
      brush.globalAlpha = solid;
      brush.beginPath();
      brush.arc(x(px), y(py), (data.marker / 2) * ratio, 0, 2 * Math.PI);
      [brush.lineWidth, brush.strokeStyle, brush.fillStyle] = [ratio, data.casing, colour];
      brush.fill();
      brush.stroke();
    }
    brush.restore();
  }

  // -------- what goes with it

  function describe() {
    const [a, b] = data.names, { layers } = data, now = mode === "blink" ? shown : mode;
    for (const button of modes) {
      const chosen = button.dataset.mode === mode;
      button.setAttribute("aria-checked", chosen);
      button.tabIndex = chosen ? 0 : -1;
    }
    exchange.hidden = mode !== "blink";
    turns.hidden = mode !== "blink" || calm.matches;
    turns.setAttribute("aria-pressed", timer !== 0);
    exchange.textContent = `Show ${shown === "a" ? "B" : "A"}`;
    const left = find(".name.a"), right = find(".name.b");
    [left.textContent, right.textContent] = data.names;
    [left, right].forEach((name, index) => name.style.setProperty("--colour", data.colours[index]));
    left.hidden = now === "b" || (mode === "swipe" && share === 0);
    right.hidden = now === "a" || (mode === "swipe" && share === 1);
    note.textContent = mode === "swipe" ? `${layers.a.note} ${layers.b.note}` : layers[now].note;
    const percent = Math.round(100 * share);
    stage.setAttribute("aria-valuenow", percent);
    const told = { swipe: `${percent} % ${a}, the rest ${b}`, a, b, difference: `Difference of ${a} and ${b}` };
    stage.setAttribute("aria-valuetext", told[now]);
    const colours = layers[mode === "swipe" ? "a" : now].scale;
    scale.hidden = !colours;
    if (colours) {
      find(".low").textContent = plain(colours.limits[0]);
      find(".high").textContent = plain(colours.limits[1]);
      find(".of").textContent = colours.title;
      find(".scale i").style.background = `linear-gradient(90deg, ${colours.stops.join(", ")})`;
    }
    Object.assign(canvas.dataset, { mode, shown, divider: percent });
  }

  const plain = (value) => String(Number(value.toPrecision(3))).replace("-", "−");

  // -------- what the visitor does

  function choose(wanted) {
    mode = wanted;
    rest();
    draw();
    tell(REST);
  }

  function swap() {
    shown = shown === "a" ? "b" : "a";
    draw();
  }

  function rest() {
    clearInterval(timer);
    timer = 0;
  }

  function move(value) {
    share = Math.min(Math.max(value, 0), 1);
    draw();
    tell(REST);
  }

  function follow(event) {
    const ratio = window.devicePixelRatio || 1, { left, right } = places();
    move(((event.clientX - stage.getBoundingClientRect().left) * ratio - left) / (right - left));
  }

  for (const button of modes) button.onclick = () => choose(button.dataset.mode);

  exchange.onclick = () => {
    rest();
    swap();
    tell(REST);
  };

  turns.onclick = () => {
    if (timer) {
      rest();
      tell();
    } else timer = setInterval(swap, TURN);
    draw();
  };

  stage.onpointerdown = (event) => {
    if (event.button > 0 || !data) return;
    if (mode === "blink") return exchange.onclick();
    if (mode !== "swipe") return;
    dragging = true;
    stage.setPointerCapture(event.pointerId);
    follow(event);
  };
  stage.onpointermove = (event) => dragging && follow(event);
  stage.onpointerup = stage.onpointercancel = () => {
    if (dragging) tell();
    dragging = false;
  };

  parent.querySelector(".swipe").onkeydown = (event) => {
    if (!data || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = event.shiftKey ? LEAP : STEP, radio = modes.indexOf(event.target);
    const wanted = { s: "swipe", b: "blink", d: "difference" }[event.key];
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (wanted) choose(wanted);
    else if (radio >= 0 && way) {
      const next = modes[(radio + way + modes.length) % modes.length];
      choose(next.dataset.mode);
      next.focus();
    } else if (event.target !== stage) return;
    else if (way && mode === "swipe") move(share + way * step);
    else if (event.key === "Home" && mode === "swipe") move(0);
    else if (event.key === "End" && mode === "swipe") move(1);
    else if (event.key === " " && mode === "blink") exchange.onclick();
    else if (event.key !== " ") return;
    event.preventDefault();
  };

  const watch = new ResizeObserver(draw);
  watch.observe(stage);

  function close() {
    rest();
    clearTimeout(waiting);
    watch.disconnect();
    messages += 1;
  }

  return { take, close };
}
