// Before and after, with a line between them that can be moved.

const NAMES = {
  after: 'the result',
  confidence: 'where its detail comes from',
  depth: 'predicted depth',
};

function swatch(kind, text) {
  const mark = document.createElement('span');
  mark.className = `swatch ${kind}`;
  return [mark, text];
}

function legendOf(layer, outcome) {
  if (layer === 'depth') {
    return ['Bright is near, dark is far; predicted, not measured.'];
  }
  if (layer !== 'confidence') {
    return [];
  }
  if (outcome.kind === 'score') {
    return [
      ...swatch('seen', 'like the reference'),
      ...swatch('inferred', 'unlike the reference'),
    ];
  }
  return [
    ...swatch('seen', 'seen in the reference'),
    ...swatch('inferred', 'inferred'),
  ];
}

export function describe(outcome) {
  const { reference, seen } = outcome;
  let text = `${outcome.name}, ${outcome.width} × ${outcome.height} pixels. `;
  text += reference.name === null
    ? `No reference (${reference.why}): all detail is inferred.`
    : `Reference: ${reference.name} (${reference.why}).`;
  if (reference.name !== null) {
    text += seen === null
      ? ' How much of its detail was used is not known.'
      : ` Seen in it: ${Math.round(100 * seen)}% of the picture.`;
  }
  return outcome.note ? `${text} Converted: ${outcome.note}.` : text;
}

export function makeCompare(parts) {
  const { viewer, stage, before, after, slider, layer, actual } = parts;
  let shown = null;

  function move(percent) {
    const value = Math.min(Math.max(percent, 0), 100);
    stage.style.setProperty('--at', `${value}%`);
    slider.value = String(value);
  }

  function follow(event) {
    const edge = stage.getBoundingClientRect();
    move((100 * (event.clientX - edge.left)) / edge.width);
  }

  function showLayer() {
    const { token, outcome } = shown;
    after.src = `/api/jobs/${token}/${layer.value}`;
    // The confidence picture has a legend below, which may make it wider.
    const wide = Math.max(outcome.width, layer.value === 'confidence' ? 420 : 0);
    const share = (100 * wide) / outcome.width;
    stage.style.aspectRatio = `${outcome.width} / ${outcome.height}`;
    after.style.maxWidth = 'none';
    after.style.width = actual.checked ? `${wide}px` : `${share}%`;
    stage.style.width = actual.checked ? `${outcome.width}px` : '';
    parts.legend.replaceChildren(...legendOf(layer.value, outcome));
  }

  slider.addEventListener('input', () => move(Number(slider.value)));
  stage.addEventListener('pointerdown', (event) => {
    event.preventDefault();
    stage.setPointerCapture(event.pointerId);
    follow(event);
  });
  stage.addEventListener('pointermove', (event) => {
    if (stage.hasPointerCapture(event.pointerId)) {
      follow(event);
    }
  });
  layer.addEventListener('change', showLayer);
  actual.addEventListener('change', () => {
    stage.classList.toggle('actual', actual.checked);
    showLayer();
  });

  return {
    get token() {
      return shown?.token ?? null;
    },
    show(job) {
      shown = job;
      const layers = ['after', 'confidence'];
      if (job.outcome.depth) {
        layers.push('depth');
      }
      layer.replaceChildren(...layers.map((value) => {
        const option = document.createElement('option');
        option.value = value;
        option.textContent = NAMES[value];
        return option;
      }));
      before.src = `/api/jobs/${job.token}/before`;
      parts.said.textContent = describe(job.outcome);
      viewer.hidden = false;
      showLayer();
      move(50);
    },
    hide() {
      shown = null;
      viewer.hidden = true;
      before.removeAttribute('src');
      after.removeAttribute('src');
    },
  };
}
