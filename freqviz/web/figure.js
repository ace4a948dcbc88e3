// A Plotly figure, drawn once it comes near what can be seen: figures further down cost nothing until then.
// The server is told by trigger "click": {x, y} of the point clicked last.
// figure.py sends this behind Plotly, in one module; each component on the page calls `show` and `drop`.
const NEAR = "300px";
const CONFIG = { displaylogo: false, displayModeBar: false };
const idle = globalThis.requestIdleCallback ?? setTimeout;
const states = new WeakMap(); // by place

export function show(place, data, tells) {
  if (!states.has(place)) states.set(place, figure(place));
  states.get(place).take(data, tells);
}

export function drop(place) {
  states.get(place)?.close();
  states.delete(place);
}

function figure(place) {
  let wanted = null, drawn = null; // what the server sent last, and what stands
  let trigger = null, near = false, busy = false, closed = false;

  function take(data, tells) {
    trigger = tells;
    if (data.figure === wanted?.figure) return;
    wanted = data;
    place.dataset.stands = "no";
    draw();
  }

  async function draw() {
    if (busy || closed || !near || drawn === wanted) return;
    busy = true;
    const mine = wanted;
    try {
      const { data, layout } = JSON.parse(mine.figure), begun = drawn;
      if (!begun) place.textContent = ""; // what failed before
      await Plotly.react(place, data, { ...layout, width: place.clientWidth }, CONFIG);
      drawn = mine;
      if (!begun && mine.clicks) place.on("plotly_click", clicked);
      place.dataset.stands = wanted === mine ? "yes" : "no";
    } catch (error) {
      fail(error.message);
    } finally {
      busy = false;
    }
    if (drawn !== mine) return;
    draw(); // a newer one may have come meanwhile
    fit(); // or its place have changed
  }

  function fit() {
    if (drawn && !busy && place.clientWidth && place.clientWidth !== place._fullLayout.width)
      Plotly.relayout(place, { width: place.clientWidth });
  }

  function fail(reason) {
    if (drawn) Plotly.purge(place);
    drawn = wanted = null; // what comes next is tried anew
    place.textContent = `This figure cannot be drawn: ${reason}`;
  }

  function clicked({ points }) {
    const { x, y } = points.at(-1);
    trigger("click", { x, y });
  }

  const sight = new IntersectionObserver((changes) => {
    const { isIntersecting, boundingClientRect } = changes.at(-1);
    near = isIntersecting;
    if (boundingClientRect.top < innerHeight) draw();
    else idle(draw); // those in sight come first
  }, { rootMargin: NEAR, scrollMargin: NEAR });
  sight.observe(place);
  const size = new ResizeObserver(fit);
  size.observe(place);

  function close() {
    closed = true;
    sight.disconnect();
    size.disconnect();
    if (drawn) Plotly.purge(place);
  }

  return { take, close };
}
