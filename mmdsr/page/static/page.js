// The page: files, the choices for them, and the results.

import { get, post, remove, upload } from './api.js';
import { makeCompare } from './compare.js';
import { makeRegion } from './region.js';

const STEP = 500;
const NEIGHBORS = 'neighbors';
const byId = (id) => document.getElementById(id);
const state = { setup: null, files: [], jobs: [], current: null, sending: null };

function say(text) {
  byId('message').textContent = text;
  byId('message').hidden = !text;
}

// Runs the action of a click and shows its error, if any.
async function attempt(work) {
  say('');
  try {
    await work();
  } catch (error) {
    say(error.message);
  }
}

function make(kind, className, text) {
  const element = document.createElement(kind);
  element.className = className;
  element.textContent = text;
  return element;
}

function button(text, work) {
  const element = make('button', '', text);
  element.type = 'button';
  element.addEventListener('click', () => attempt(work));
  return element;
}

function bar(share) {
  const element = document.createElement('progress');
  element.max = 1;
  element.value = share;
  return element;
}

function inMb(bytes) {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}

const region = makeRegion(
  byId('picker'),
  byId('picture'),
  byId('region'),
  (box) => {
    byId('region-size').textContent = box === null
      ? 'The whole picture'
      : `${box[2]} × ${box[3]} pixels at ${box[0]}, ${box[1]}`;
    showReferenceOptions();
  },
);
const compare = makeCompare({
  viewer: byId('viewer'),
  stage: byId('stage'),
  before: byId('before'),
  after: byId('after'),
  slider: byId('slider'),
  layer: byId('layer'),
  actual: byId('actual'),
  legend: byId('legend'),
  said: byId('said'),
});

// Files

function showFiles() {
  byId('files').replaceChildren(...state.files.map((file) => {
    const item = document.createElement('li');
    item.classList.toggle('current', file.token === state.current?.token);
    const size = `${file.width} × ${file.height}`;
    item.append(make('span', 'name', file.name), make('small', '', size));
    if (file.note) {
      item.append(make('small', '', file.note));
    }
    if (file.error) {
      item.append(make('span', 'wrong', file.error));
    } else if (!file.ready) {
      item.append(bar(file.share), make('small', '', 'reading the video'));
    }
    item.append(
      button('Open', () => choose(file)),
      button('Remove', async () => {
        await remove(`/api/files/${file.token}`);
        if (state.current?.token === file.token) {
          state.current = null;
          byId('work').hidden = true;
        }
        await refresh();
      }),
    );
    return item;
  }));
}

function choose(file) {
  state.current = file;
  byId('work').hidden = false;
  byId('frames').hidden = file.kind !== 'video';
  byId('frame').value = '0';
  region.reset(file.width, file.height);
  showFrame();
  showFiles();
  showReferences();
}

// A picture is its own only frame. A video has none until one has been read.
function showFrame() {
  const file = state.current;
  const number = Number(byId('frame').value);
  byId('frame').max = String(Math.max(0, file.frames.length - 1));
  const frame = file.frames[number];
  byId('enlarge').disabled = frame === undefined;
  if (frame === undefined) {
    byId('picture').removeAttribute('src');
    byId('frame-name').textContent = '';
    return;
  }
  byId('picture').src = `/api/files/${file.token}/picture?number=${number}`;
  byId('frame-name').textContent =
    `frame ${frame[0]} at ${frame[1].toFixed(2)} s`;
}

function step(by) {
  const slider = byId('frame');
  slider.value = String(Number(slider.value) + by);
  showFrame();
}

async function take(file) {
  const most = state.setup.upload;
  if (file.size > most) {
    throw new Error(`${file.name} is too large (${inMb(file.size)}): ` +
      `${inMb(most)} at most.`);
  }
  const bar = byId('sending');
  const sending = upload(file, (share) => { bar.value = share; });
  state.sending = sending;
  bar.value = 0;
  bar.hidden = byId('stop-sending').hidden = false;
  try {
    const taken = await sending.done;
    await refresh();
    choose(state.files.find((one) => one.token === taken.token) ?? taken);
  } finally {
    state.sending = null;
    bar.hidden = byId('stop-sending').hidden = true;
  }
}

function takeAll(files) {
  attempt(async () => {
    if (state.sending !== null) {
      throw new Error('One file at a time: wait for the upload, or stop it.');
    }
    for (const file of files) {
      await take(file);
    }
  });
}

// Choices

function showReferences() {
  const { current, files, setup } = state;
  if (current === null) {
    return;
  }
  const select = byId('reference');
  const kept = select.value;
  const weights = setup.weights.find(
    (one) => one.name === byId('weights').value,
  );
  const choices = [['none', 'none']];
  if (weights.reference) {
    if (current.kind === 'video') {
      choices.push([NEIGHBORS, 'neighboring frames']);
    }
    for (const file of files) {
      if (file.kind === 'image' && file.token !== current.token) {
        choices.push([file.token, file.name]);
      }
    }
  }
  select.replaceChildren(...choices.map(([value, text]) => {
    const option = make('option', '', text);
    option.value = value;
    return option;
  }));
  if (choices.some(([value]) => value === kept)) {
    select.value = kept;
  }
  showReferenceOptions();
}

function showReferenceOptions() {
  const picture = !['none', NEIGHBORS, ''].includes(byId('reference').value);
  byId('shows-label').hidden = !picture || region.box === null;
}

async function enlarge() {
  const { current } = state;
  const job = await post('/api/jobs', {
    file: current.token,
    number: current.kind === 'video' ? Number(byId('frame').value) : null,
    weights: byId('weights').value,
    reference: byId('reference').value,
    shows: byId('shows').value,
    region: region.box,
    mark: byId('mark').checked,
  });
  // Show the job even if it is finished before the list is requested.
  state.jobs = [...state.jobs, { ...job, state: 'waiting' }];
  await refresh();
}

// Results

function jobParts(job) {
  const address = `/api/jobs/${job.token}`;
  const drop = (text) => button(text, async () => {
    await remove(address);
    if (job.state === 'done' && compare.token === job.token) {
      compare.hide();
    }
    await refresh();
  });
  switch (job.state) {
    case 'waiting': {
      const text =
        job.before === 1 ? '1 job ahead' : `${job.before} jobs ahead`;
      return [make('small', '', `waiting, ${text}`), drop('Cancel')];
    }
    case 'running': {
      const text = `${job.text}, ${Math.round(job.seconds)} s`;
      return [bar(job.share), make('small', '', text), drop('Cancel')];
    }
    case 'done': {
      const link = make('a', '', 'Download');
      link.href = `${address}/download`;
      return [
        make('small', '', `${job.seconds.toFixed(1)} s`),
        button('Show', () => show(job)),
        link,
        drop('Remove'),
      ];
    }
    case 'failed':
      return [drop('Remove'), make('span', 'wrong', job.error)];
    default:
      return [make('small', '', 'canceled'), drop('Remove')];
  }
}

function show(job) {
  compare.show(job);
  showJobs();
}

function showJobs() {
  const items = state.jobs.map((job) => {
    const item = document.createElement('li');
    item.dataset.state = job.state;
    item.classList.toggle('current', job.token === compare.token);
    item.append(make('span', 'name', job.title), ...jobParts(job));
    return item;
  });
  if (!items.length) {
    items.push(make('li', 'none', 'None yet.'));
  }
  byId('jobs').replaceChildren(...items);
}

const isOpen = (job) => ['waiting', 'running'].includes(job.state);
// Content of the lists. A list is rebuilt only when it changes, because
// buttons that are replaced under the pointer cannot be clicked.
const written = { files: '', jobs: '' };

async function refresh() {
  const open = state.jobs.filter(isOpen).map((job) => job.token);
  const [files, jobs] = await Promise.all([get('/api/files'), get('/api/jobs')]);
  state.files = files;
  state.jobs = jobs;
  const now = files.find((one) => one.token === state.current?.token);
  if (now !== undefined) {
    const grown = now.frames.length !== state.current.frames.length;
    state.current = now;
    if (grown) {
      showFrame();
    }
  }
  const texts = { files: JSON.stringify(files), jobs: JSON.stringify(jobs) };
  if (texts.files !== written.files) {
    showFiles();
    showReferences();
  }
  if (texts.jobs !== written.jobs) {
    showJobs();
  }
  Object.assign(written, texts);
  const done = jobs.find(
    (job) => job.state === 'done' && open.includes(job.token),
  );
  if (done !== undefined) {
    show(done);
  }
}

async function watch() {
  const busy = state.jobs.some(isOpen) ||
    state.files.some((file) => !file.ready && !file.error);
  if (busy) {
    try {
      await refresh();
    } catch (error) {
      say(error.message);
    }
  }
  setTimeout(watch, STEP);
}

// Start

function listen() {
  const drop = byId('drop');
  const over = (event, isOver) => {
    event.preventDefault();
    drop.classList.toggle('over', isOver);
  };
  drop.addEventListener('dragover', (event) => over(event, true));
  drop.addEventListener('dragleave', (event) => over(event, false));
  drop.addEventListener('drop', (event) => {
    over(event, false);
    takeAll([...event.dataTransfer.files]);
  });
  byId('chosen').addEventListener('change', () => {
    const files = [...byId('chosen').files];
    // Allows choosing the same file again.
    byId('chosen').value = '';
    takeAll(files);
  });
  byId('stop-sending').addEventListener('click', () => state.sending?.stop());
  byId('frame').addEventListener('input', showFrame);
  byId('earlier').addEventListener('click', () => step(-1));
  byId('later').addEventListener('click', () => step(1));
  byId('whole').addEventListener('click', () => region.reset());
  byId('weights').addEventListener('change', showReferences);
  byId('reference').addEventListener('change', showReferenceOptions);
  byId('enlarge').addEventListener('click', () => attempt(enlarge));
  byId('end').addEventListener('click', () => attempt(async () => {
    await remove('/api/session');
    location.reload();
  }));
}

await attempt(async () => {
  state.setup = await get('/api/setup');
  byId('limit').textContent = `Up to ${inMb(state.setup.upload)}`;
  byId('version').textContent = `mmdsr ${state.setup.version}`;
  byId('weights').replaceChildren(...state.setup.weights.map((one) => {
    const notes = one.reference ? '' : ' (no network, for comparison)';
    const depth = one.depth ? ' (with depth)' : '';
    const option = make('option', '', `${one.name}${notes}${depth}`);
    option.value = one.name;
    return option;
  }));
  if (state.setup.weights.some((one) => one.name === 'dsrnet_x_nano')) {
    byId('weights').value = 'dsrnet_x_nano';
  }
  listen();
  await refresh();
  watch();
});
