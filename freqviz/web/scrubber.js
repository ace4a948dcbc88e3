// Frames under a cursor, drawn in the browser: picture, skeletons, boxes, and a timeline with curves and marks.
// Nothing is asked of the server while the cursor moves. It is told by trigger "frame": {frame, turn} when the cursor
// comes to rest, and by trigger "failed": a sentence, when this browser cannot show the frames. `turn` counts what was
// told and comes back with the server's `frame`, so that an answer to an earlier message moves nothing.
const REST = 350; // milliseconds without a key after which the cursor has come to rest
const PATIENCE = 1500, TRIES = 8; // milliseconds to wait for a frame, and how often to ask for it again
const LABELS = 210, RIM = 6, NARROW = 560; // CSS pixels: names beside the lanes; a phone has them above
const MARKS = 18, AXIS = 16, LANE = 26, NAME = 16; // heights of the timeline's rows, CSS pixels
const states = new WeakMap(); // by parentElement: what outlives a message of the server

export default function (component) {
  const { data, parentElement } = component;
  let state = states.get(parentElement);
  if (!state) {
    state = scrubber(parentElement);
    states.set(parentElement, state);
  }
  state.take(component);
  return () => {
    state.close();
    states.delete(parentElement);
  };
}

function scrubber(parent) {
  const find = (name) => parent.querySelector(name), root = find(".scrubber");
  const stage = find(".stage"), picture = find(".picture"), waiting = find(".waiting"), people = find(".people");
  const play = find(".play"), readout = find(".readout"), keys = find(".keys");
  const timeline = find(".timeline"), lanes = find(".lanes"), names = find(".names"), cursor = find(".cursor");
  const still = document.createElement("canvas"); // the frame drawn last, as the copy has it
  const video = document.createElement("video");
  video.muted = video.playsInline = true;
  const hidden = new Set(), folded = new Set(); // names of what the visitor hides: overlays, curves
  let data, trigger; // of the last message
  let known = null; // poses, boxes, curves and marks of every frame
  let clip = "", overlays = "", address = ""; // what is loaded
  let wanted = 0, drawn = -1, seeking = -1, told = 0, turn = 0, tries = 0;
  let watch = 0, rest = 0, ticking = 0, closed = false, dragging = false;
  const shownNumber = (frame) => frame + (known ? known.first : 0);
  const clamp = (frame) => Math.min(Math.max(frame, 0), known.count - 1);

  // -------- what the server says

  function take({ data: news, setTriggerValue }) {
    const first = !data;
    data = news;
    trigger = setTriggerValue;
    if (first) [wanted, told, turn] = [data.frame, data.frame, data.turn];
    if (data.clip !== clip || data.overlays !== overlays) return load();
    if (!known) return;
    if (data.turn >= turn && data.frame !== told) {
      // the server moved the cursor
      stop();
      [told, turn] = [data.frame, data.turn];
      ask(data.frame);
    }
    relook();
  }

  async function load() {
    const sameClip = data.clip === clip;
    [clip, overlays] = [data.clip, data.overlays];
    const [mine, theirs] = [clip, overlays];
    if (!sameClip) {
      stop();
      clearTimeout(watch);
      [known, drawn, seeking] = [null, -1, -1];
      waiting.hidden = false;
    }
    try {
      if (!("requestVideoFrameCallback" in video)) throw new Error("it cannot tell which frame of a video it shows");
      if (!video.canPlayType(data.codec)) throw new Error("it does not play H.264");
      const answer = await fetch(theirs);
      if (!answer.ok) throw new Error(`poses and curves did not arrive (${answer.status})`);
      const found = await answer.json();
      const url = sameClip ? address : await download(mine);
      if (closed || mine !== clip || theirs !== overlays) return; // another one has been asked for meanwhile
      if (!sameClip) await open(url, found.count);
      known = found;
      waiting.hidden = true;
      told = data.frame;
      describe();
      relook();
      ask(told);
    } catch (error) {
      if (!closed && mine === clip && theirs === overlays) fail(error.message);
    }
  }

  async function download(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`the frames did not arrive (${answer.status})`);
    const total = Number(answer.headers.get("Content-Length")), parts = [], reader = answer.body.getReader();
    let size = 0;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      size += part.value.length;
      const share = total ? ` ${Math.round((100 * size) / total)} %` : "";
      waiting.textContent = `Loading frames …${share}`;
    }
    return URL.createObjectURL(new Blob(parts, { type: "video/mp4" }));
  }

  function open(url, count) {
    URL.revokeObjectURL(address);
    address = url;
    return new Promise((resolve, reject) => {
      video.onloadeddata = () => {
        const frames = Math.round(video.duration * data.rate);
        if (frames !== count) reject(new Error(`it finds ${frames} frames of ${count}`));
        [still.width, still.height] = [video.videoWidth, video.videoHeight];
        resolve();
      };
      video.onerror = () => reject(new Error(`it cannot play the frames (${video.error.message || video.error.code})`));
      video.preload = "auto";
      video.src = url;
    });
  }

  function fail(reason) {
    stop();
    close();
    trigger("failed", `${reason[0].toUpperCase()}${reason.slice(1).replace(/\.$/, "")}.`);
  }

  // -------- which frame

  function ask(frame) {
    wanted = clamp(frame);
    follow();
    seek();
  }

  function seek() {
    if (closed || seeking >= 0 || wanted === drawn) return;
    seeking = wanted;
    tries = 0;
    point();
  }

  // Into the middle of the frame; a little aside where the browser kept silent before.
  function point() {
    video.currentTime = (seeking + 0.5 - 0.05 * tries) / data.rate;
    clearTimeout(watch);
    watch = setTimeout(() => {
      if (closed || seeking < 0) return;
      if (!document.hidden && ++tries > TRIES) return fail(`it does not show frame ${shownNumber(seeking)}`);
      point();
    }, PATIENCE);
  }

  // A seek is answered by the frame asked for, and now and then by the one before; only the former is drawn.
  function presented(now, { mediaTime }) {
    if (closed) return;
    video.requestVideoFrameCallback(presented);
    if (Math.round(mediaTime * data.rate) !== seeking) return;
    clearTimeout(watch);
    still.getContext("2d").drawImage(video, 0, 0);
    [drawn, seeking] = [seeking, -1];
    draw();
    seek();
  }
  if ("requestVideoFrameCallback" in video) video.requestVideoFrameCallback(presented);

  function tell() {
    clearTimeout(rest);
    rest = 0;
    if (wanted === told) return;
    told = wanted;
    turn += 1;
    trigger("frame", { frame: wanted, turn });
  }

  function step(frame) {
    stop();
    ask(frame);
    clearTimeout(rest);
    rest = setTimeout(tell, REST);
  }

  function toggle() {
    if (ticking) {
      stop();
      return tell();
    }
    clearTimeout(rest);
    const from = wanted === known.count - 1 ? 0 : wanted, start = performance.now();
    const tick = (now) => {
      const time = known.times[from] + Math.max(0, now - start) / 1000;
      let frame = Math.max(from, wanted);
      while (frame < known.count - 1 && known.times[frame + 1] <= time) frame += 1;
      ask(frame);
      if (frame < known.count - 1) return (ticking = requestAnimationFrame(tick));
      stop();
      tell();
    };
    ask(from);
    ticking = requestAnimationFrame(tick);
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Pause");
  }

  function stop() {
    cancelAnimationFrame(ticking);
    ticking = 0;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play");
  }

  // The next frame with a mark, forwards or backwards; of neighbouring frames of one kind the first.
  function mark(way) {
    const stops = known.marks.flatMap(({ runs }) => runs.map(([start]) => start));
    const ahead = stops.filter((frame) => way * (frame - wanted) > 0);
    if (ahead.length) step(way > 0 ? Math.min(...ahead) : Math.max(...ahead));
  }

  // -------- the picture

  function draw() {
    if (!known || drawn < 0) return;
    const ratio = window.devicePixelRatio || 1, { clientWidth, clientHeight } = stage;
    [picture.width, picture.height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
    const [width, height] = known.size, segment = known.segments.findLast(([start]) => start <= drawn);
    const [left, top, right, bottom] = data.person ? segment[2] : [-0.5, -0.5, width - 0.5, height - 0.5];
    const scale = Math.min(picture.width / (right - left), picture.height / (bottom - top));
    const x = (value) => picture.width / 2 + (value - (left + right) / 2) * scale;
    const y = (value) => picture.height / 2 + (value - (top + bottom) / 2) * scale;
    const brush = picture.getContext("2d");
    brush.drawImage(still, x(-0.5), y(-0.5), width * scale, height * scale);
    const unit = ratio * (clientWidth < NARROW ? 0.65 : 1); // of line widths
    if (!hidden.has("Box")) {
      const [bx, by, bw, bh] = segment[1];
      brush.strokeStyle = data.roles.box.right;
      brush.lineWidth = data.line * unit;
      brush.strokeRect(x(bx), y(by), bw * scale, bh * scale);
    }
    for (const person of known.people) if (!hidden.has(person.name)) skeleton(brush, person, x, y, unit);
    picture.dataset.frame = drawn;
  }

  function skeleton(brush, { role, points, opacity }, x, y, unit) {
    const look = data.roles[role], at = points[drawn], solid = opacity[drawn];
    const seen = (joint) => at[2 * joint] !== null && at[2 * joint + 1] !== null;
    const path = (a, b) => {
      brush.beginPath();
      brush.moveTo(x(at[2 * a]), y(at[2 * a + 1]));
      brush.lineTo(x(at[2 * b]), y(at[2 * b + 1]));
      brush.stroke();
    };
    const edges = known.edges.filter(([a, b]) => seen(a) && seen(b));
    brush.lineCap = "round";
    for (const casing of [true, false])
      for (const [a, b, side] of edges) {
        brush.setLineDash(casing ? [] : data.dashes[look.dash].map((length) => length * unit));
        brush.lineWidth = (data.line + (casing ? 3 : 0)) * unit;
        brush.strokeStyle = casing ? data.casing : look[side];
        brush.globalAlpha = (casing ? 0.55 : 1) * (Math.min(solid[a], solid[b]) / 100);
        path(a, b);
      }
    brush.setLineDash([]);
    known.sides.forEach((side, joint) => {
      if (!seen(joint)) return;
      brush.globalAlpha = solid[joint] / 100;
      symbol(brush, look.marker, x(at[2 * joint]), y(at[2 * joint + 1]), (data.marker / 2) * unit, look[side], data.casing);
    });
    brush.globalAlpha = 1;
  }

  // One of look.py's markers with radius r: filled, with a thin rim.
  function symbol(brush, marker, x, y, r, colour, rim) {
    const corners = {
      square: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
      diamond: [[0, -1.35], [1.35, 0], [0, 1.35], [-1.35, 0]],
      triangle: [[0, -1.2], [1.2, 1], [-1.2, 1]],
      cross: [[-0.4, -1.2], [0.4, -1.2], [0.4, -0.4], [1.2, -0.4], [1.2, 0.4], [0.4, 0.4], [0.4, 1.2], [-0.4, 1.2],
        [-0.4, 0.4], [-1.2, 0.4], [-1.2, -0.4], [-0.4, -0.4]],
    }[marker];
    brush.beginPath();
    if (corners) corners.forEach(([cx, cy]) => brush.lineTo(x + r * cx, y + r * cy));
    else brush.arc(x, y, r, 0, 2 * Math.PI);
    brush.closePath();
    brush.lineWidth = marker === "ring" ? 2 : 1;
    brush.strokeStyle = marker === "ring" ? colour : rim;
    brush.fillStyle = colour;
    if (marker !== "ring") brush.fill();
    brush.stroke();
  }

  // -------- the timeline

  // Where things lie: the left edge of the lanes, their width, and the top and height of each lane.
  function places() {
    const narrow = timeline.clientWidth < NARROW, left = narrow ? RIM : LABELS;
    let top = MARKS;
    const rows = known.curves.map(({ name }) => {
      const open = !folded.has(name), head = narrow || !open ? NAME : 0;
      const row = { top: top + (narrow && open ? NAME : 0), height: open ? LANE : 0, label: top };
      top += (open ? LANE : 0) + head;
      return row;
    });
    return { narrow, left, width: Math.max(timeline.clientWidth - left - RIM, 1), rows, height: top + AXIS };
  }

  const across = (frame, { left, width }) => left + ((frame + 0.5) / known.count) * width;

  function curves() {
    if (!known) return;
    const place = places(), ratio = window.devicePixelRatio || 1, style = getComputedStyle(root);
    const text = style.getPropertyValue("--st-text-color"), grid = style.getPropertyValue("--st-border-color");
    timeline.style.height = lanes.style.height = `${place.height}px`;
    [lanes.width, lanes.height] = [Math.round(timeline.clientWidth * ratio), Math.round(place.height * ratio)];
    const brush = lanes.getContext("2d");
    brush.scale(ratio, ratio);
    brush.font = `11px ${style.getPropertyValue("--st-font")}`;
    brush.textBaseline = "middle";
    known.curves.forEach((curve, index) => {
      const { top, height } = place.rows[index], [low, high] = curve.limits;
      if (!height) return;
      brush.fillStyle = grid;
      brush.globalAlpha = 0.35;
      brush.fillRect(place.left, top + 1, place.width, height - 2);
      brush.globalAlpha = 1;
      const y = (value) => top + height - 3 - ((value - low) / (high - low)) * (height - 6);
      for (const { role, values } of curve.lines) {
        brush.strokeStyle = data.roles[role].right;
        brush.lineWidth = 1.4;
        brush.setLineDash(data.dashes[data.roles[role].dash].map((length) => length * 0.6));
        brush.beginPath();
        let before = null;
        values.forEach((value, frame) => {
          if (value !== null) brush[before === null ? "moveTo" : "lineTo"](across(frame, place), y(value));
          before = value;
        });
        brush.stroke();
      }
      brush.setLineDash([]);
    });
    marks(brush, place, text);
    axis(brush, place, text);
    label(place);
    follow();
  }

  function marks(brush, place, text) {
    const all = known.marks.flatMap(({ kind, role, runs }) => runs.map(([start, end]) => ({ kind, role, start, end })));
    all.sort((a, b) => a.start - b.start);
    let free = place.left; // where the next name may begin
    all.forEach(({ kind, role, start, end }, index) => {
      const look = data.roles[role], x = across(start, place), next = all[index + 1];
      brush.fillStyle = look.right;
      brush.globalAlpha = 0.5;
      if (end > start) brush.fillRect(x, MARKS / 2 - 2, across(end, place) - x, 4);
      brush.globalAlpha = 1;
      symbol(brush, look.marker, x, MARKS / 2, 4, look.right, text);
      // Its name stands on the side that has more room, if there is enough; on the right it follows the run.
      const after = Math.max(across(end, place), x + 4) + 4;
      const until = next ? across(next.start, place) - 8 : place.left + place.width;
      const width = brush.measureText(kind).width, right = until - after, left = x - 8 - free;
      free = after;
      if (Math.max(left, right) < width) return;
      brush.fillStyle = text;
      brush.fillText(kind, right >= left ? after : x - 8 - width, MARKS / 2);
      if (right >= left) free += width + 8;
    });
  }

  function axis(brush, place, text) {
    const most = Math.max(2, place.width / 60);
    const base = 10 ** Math.floor(Math.log10(Math.max(1, known.count / most)));
    const every = [1, 2, 5, 10].map((factor) => factor * base).find((size) => known.count / size <= most) || 10 * base;
    brush.fillStyle = text;
    brush.globalAlpha = 0.7;
    brush.textAlign = "center";
    for (let number = Math.ceil(known.first / every) * every; number < known.first + known.count; number += every) {
      const half = brush.measureText(String(number)).width / 2, x = across(number - known.first, place);
      const inside = Math.min(Math.max(x, place.left + half), place.left + place.width - half);
      brush.fillText(number, inside, place.height - AXIS / 2 + 1);
    }
    brush.textAlign = "left";
    brush.globalAlpha = 1;
  }

  // The names of the lanes: buttons that fold them; beside each the values at the cursor.
  function label(place) {
    names.replaceChildren(
      ...known.curves.map(({ name, unit, lines }, index) => {
        const button = document.createElement("button"), title = document.createElement("span");
        button.style.top = `${place.rows[index].label}px`;
        button.style.height = `${place.narrow || folded.has(name) ? NAME : LANE}px`;
        button.style.width = place.narrow ? "auto" : `${LABELS - 8}px`;
        button.setAttribute("aria-expanded", String(!folded.has(name)));
        title.textContent = name;
        button.title = `${name}${unit ? `, ${unit}` : ""}: ${lines.map((line) => line.name).filter(Boolean).join(", ")}`;
        button.append(title, document.createElement("output"));
        button.onclick = () => {
          flip(folded, name);
          curves();
        };
        return button;
      }),
    );
  }

  const flip = (set, name) => set.delete(name) || set.add(name);

  // What goes with the cursor at once, before its frame has been drawn.
  function follow() {
    if (!known) return;
    const place = places(), frame = wanted, number = shownNumber(frame);
    const here = known.marks.filter(({ runs }) => runs.some(([start, end]) => start <= frame && frame <= end));
    const kinds = here.map(({ kind }) => ` · ${kind}`).join("");
    cursor.style.left = `${across(frame, place)}px`;
    readout.textContent = `Frame ${number} of ${shownNumber(0)}–${shownNumber(known.count - 1)} · ${known.times[frame].toFixed(2)} s${kinds}`;
    timeline.setAttribute("aria-valuemin", shownNumber(0));
    timeline.setAttribute("aria-valuemax", shownNumber(known.count - 1));
    timeline.setAttribute("aria-valuenow", number);
    timeline.setAttribute("aria-valuetext", `frame ${number}, ${known.times[frame].toFixed(2)} seconds${kinds}`);
    names.querySelectorAll("output").forEach((output, index) => {
      const { lines, unit } = known.curves[index];
      output.replaceChildren(
        ...lines.map(({ role, values }) => {
          const one = document.createElement("span"), value = values[frame];
          one.style.setProperty("--colour", data.roles[role].right);
          const digits = Math.abs(value) < 100 ? 1 : 0;
          one.textContent = value === null ? "–" : value.toFixed(digits).replace("-", "−");
          return one;
        }),
        unit ? ` ${unit}` : "",
      );
    });
  }

  // -------- what can be pressed

  // Names in the corner of the picture: each hides and shows a skeleton or the box.
  function describe() {
    if (timeline.clientWidth < NARROW && !folded.size) known.curves.slice(2).forEach(({ name }) => folded.add(name));
    const all = [...known.people.map(({ name, role }) => [name, role]), ["Box", "box"]];
    people.replaceChildren(
      ...all.map(([name, role]) => {
        const button = document.createElement("button");
        button.textContent = name;
        button.dataset.role = role;
        button.setAttribute("aria-pressed", String(!hidden.has(name)));
        button.onclick = () => {
          flip(hidden, name);
          button.setAttribute("aria-pressed", String(!hidden.has(name)));
          draw();
        };
        return button;
      }),
    );
  }

  function relook() {
    if (!known) return;
    for (const button of people.children) button.style.setProperty("--colour", data.roles[button.dataset.role].right);
    draw();
    curves();
  }

  const frameAt = (event) => {
    const { left, width } = places(), area = timeline.getBoundingClientRect();
    return Math.floor(((event.clientX - area.left - left) / width) * known.count);
  };
  timeline.onpointerdown = (event) => {
    if (!known || event.button > 0 || event.target.closest("button")) return;
    event.preventDefault();
    timeline.focus({ preventScroll: true });
    timeline.setPointerCapture(event.pointerId);
    dragging = true;
    stop();
    clearTimeout(rest);
    ask(frameAt(event));
  };
  timeline.onpointermove = (event) => {
    if (dragging) ask(frameAt(event));
  };
  timeline.onpointerup = timeline.onpointercancel = () => {
    if (!dragging) return;
    dragging = false;
    tell();
  };
  stage.onpointerdown = (event) => {
    if (event.target === picture) timeline.focus({ preventScroll: true });
  };
  play.onclick = () => known && toggle();
  find(".before").onclick = () => known && mark(-1);
  find(".after").onclick = () => known && mark(1);
  find(".help").onclick = () => (keys.hidden = !keys.hidden);

  root.onkeydown = (event) => {
    if (!known || event.ctrlKey || event.metaKey || event.altKey) return;
    const pace = event.shiftKey ? 10 : 1;
    const does = {
      ArrowLeft: () => step(wanted - pace),
      ArrowRight: () => step(wanted + pace),
      Home: () => step(0),
      End: () => step(known.count - 1),
      " ": toggle,
      n: () => mark(1),
      p: () => mark(-1),
      "?": () => (keys.hidden = !keys.hidden),
      Escape: () => (keys.hidden = true),
    }[event.key];
    if (!does || (event.key === " " && event.target.closest("button"))) return;
    event.preventDefault();
    event.stopPropagation();
    does();
  };

  const size = new ResizeObserver(relook);
  size.observe(stage);

  function close() {
    closed = true;
    stop();
    clearTimeout(watch);
    clearTimeout(rest);
    size.disconnect();
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(address);
  }

  return { take, close };
}
