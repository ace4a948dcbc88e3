// A box over one frame: drag to draw it, drag inside to move it, drag a corner to resize it; arrow keys nudge it.
// Mouse, pen and touch are all pointer events. The box leaves as state "box": [x, y, w, h], whole pixels of the
// frame, where the centre of the top-left pixel is (0, 0); so the frame spans -0.5 ... width - 0.5.
const SMALLEST = 8; // frame pixels; anything smaller is a slip of the hand

export default function ({ data, parentElement, setStateValue }) {
  const stage = parentElement.querySelector(".stage");
  const shape = parentElement.querySelector(".box");
  const image = parentElement.querySelector("img");
  const readout = parentElement.querySelector(".readout");
  const { width, height } = data;
  let box = data.box; // [x, y, w, h] or null
  let drag = null; // {kind, start: [x, y], from: box at the start}

  image.src = data.image;
  stage.style.setProperty("--colour", data.colour);
  stage.style.maxWidth = `${(data.max_height * width) / height}px`;
  draw();

  function draw() {
    shape.hidden = !box;
    readout.textContent = box
      ? `x ${box[0]}, y ${box[1]}, ${box[2]} × ${box[3]} pixels`
      : "Drag from the head's corner to the feet's corner.";
    if (!box) return;
    const [x, y, w, h] = box;
    shape.style.left = `${(100 * (x + 0.5)) / width}%`;
    shape.style.top = `${(100 * (y + 0.5)) / height}%`;
    shape.style.width = `${(100 * w) / width}%`;
    shape.style.height = `${(100 * h) / height}%`;
  }

  function point(event) {
    const area = image.getBoundingClientRect();
    const fraction = (value, low, size) => Math.min(Math.max((value - low) / size, 0), 1);
    return [
      fraction(event.clientX, area.left, area.width) * width - 0.5,
      fraction(event.clientY, area.top, area.height) * height - 0.5,
    ];
  }

  const between = ([ax, ay], [bx, by]) => [Math.min(ax, bx), Math.min(ay, by), Math.abs(ax - bx), Math.abs(ay - by)];

  // Whole pixels inside the frame: 0 <= x and x + w <= width.
  function tidy([x, y, w, h]) {
    w = Math.min(Math.round(w), width);
    h = Math.min(Math.round(h), height);
    return [
      Math.min(Math.max(Math.round(x), 0), width - w),
      Math.min(Math.max(Math.round(y), 0), height - h),
      w,
      h,
    ];
  }

  stage.onpointerdown = (event) => {
    if (event.button > 0) return;
    event.preventDefault();
    stage.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    const corner = event.target.dataset.corner; // "00" top left ... "11" bottom right
    const start = point(event);
    if (corner) {
      // The opposite corner stays where it is.
      drag = { kind: "draw", start: [box[0] + (corner[0] === "0" ? box[2] : 0), box[1] + (corner[1] === "0" ? box[3] : 0)] };
    } else if (event.target === shape) {
      drag = { kind: "move", start };
    } else {
      drag = { kind: "draw", start };
    }
    drag.from = box;
  };

  stage.onpointermove = (event) => {
    if (!drag) return;
    const [x, y] = point(event);
    box =
      drag.kind === "move"
        ? tidy([drag.from[0] + x - drag.start[0], drag.from[1] + y - drag.start[1], drag.from[2], drag.from[3]])
        : tidy(between(drag.start, [x, y]));
    draw();
  };

  stage.onpointerup = () => {
    if (!drag) return;
    if (!box || box[2] < SMALLEST || box[3] < SMALLEST) box = drag.from;
    const changed = String(box) !== String(drag.from);
    drag = null;
    draw();
    if (changed) setStateValue("box", box);
  };

  stage.onpointercancel = () => {
    if (drag) box = drag.from;
    drag = null;
    draw();
  };

  stage.onkeydown = (event) => {
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!box || !(event.key in steps)) return;
    event.preventDefault();
    const [dx, dy] = steps[event.key];
    // With shift the bottom-right corner moves, without it the whole box.
    box = event.shiftKey
      ? tidy([box[0], box[1], Math.max(box[2] + dx, SMALLEST), Math.max(box[3] + dy, SMALLEST)])
      : tidy([box[0] + dx, box[1] + dy, box[2], box[3]]);
    draw();
    setStateValue("box", box);
  };
}
