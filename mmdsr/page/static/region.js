// Drawing a rectangle on a picture; it is kept in pixels of the source.

const LEAST = 16;

export function makeRegion(picker, image, frame, changed) {
  let size = { width: 0, height: 0 };
  let box = null;
  let start = null;

  function place(event) {
    const edge = image.getBoundingClientRect();
    const share = (value, length) => Math.min(Math.max(value / length, 0), 1);
    return {
      x: Math.round(share(event.clientX - edge.left, edge.width) * size.width),
      y: Math.round(share(event.clientY - edge.top, edge.height) * size.height),
    };
  }

  function show() {
    frame.hidden = box === null;
    if (box !== null) {
      const [x, y, width, height] = box;
      const percent = (value, all) => `${(100 * value) / all}%`;
      frame.style.left = percent(x, size.width);
      frame.style.top = percent(y, size.height);
      frame.style.width = percent(width, size.width);
      frame.style.height = percent(height, size.height);
    }
    changed(box);
  }

  picker.addEventListener('pointerdown', (event) => {
    if (event.button !== 0 || !size.width) {
      return;
    }
    event.preventDefault();
    picker.setPointerCapture(event.pointerId);
    start = place(event);
    // A click without a drag removes the rectangle.
    box = null;
    show();
  });
  picker.addEventListener('pointermove', (event) => {
    if (start === null) {
      return;
    }
    const now = place(event);
    box = [
      Math.min(start.x, now.x),
      Math.min(start.y, now.y),
      Math.abs(start.x - now.x),
      Math.abs(start.y - now.y),
    ];
    show();
  });
  const finish = () => {
    if (start === null) {
      return;
    }
    start = null;
    // Too small to enlarge: use the whole picture.
    if (box !== null && (box[2] < LEAST || box[3] < LEAST)) {
      box = null;
      show();
    }
  };
  picker.addEventListener('pointerup', finish);
  picker.addEventListener('pointercancel', finish);

  return {
    get box() {
      return box;
    },
    reset(width = size.width, height = size.height) {
      size = { width, height };
      // Narrow enough to show the whole picture.
      picker.style.setProperty('--aspect', String(width / height));
      box = null;
      show();
    },
  };
}
