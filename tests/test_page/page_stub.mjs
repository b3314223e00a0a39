// Just enough of a browser to load page.js: it opens files by their numbers.
//
// node page_stub.mjs SCRIPT FILES NUMBERS, the last two in JSON; it prints what
// is to be seen after each click.

import { pathToFileURL } from 'node:url';

const [script, files, numbers] = process.argv.slice(2);
const answers = {
  '/api/setup': {
    version: '0',
    upload: 2 ** 20,
    weights: [{ name: 'bicubic', reference: false, depth: false }],
  },
  '/api/files': JSON.parse(files),
  '/api/jobs': [],
};
const elements = {};

function make() {
  return {
    children: [],
    classList: { toggle() {} },
    dataset: {},
    disabled: false,
    listeners: {},
    style: { setProperty() {} },
    value: '',
    addEventListener(kind, work) {
      this.listeners[kind] = work;
    },
    append(...children) {
      this.children.push(...children);
    },
    removeAttribute(name) {
      delete this[name];
    },
    replaceChildren(...children) {
      this.children = children;
    },
  };
}

globalThis.document = {
  createElement: make,
  getElementById(id) {
    elements[id] ??= make();
    return elements[id];
  },
};
globalThis.fetch = async (address) => ({
  ok: true,
  status: 200,
  json: async () => answers[address],
});

await import(pathToFileURL(script));
const seen = [];
for (const number of JSON.parse(numbers)) {
  const item = elements.files.children[number];
  const open = item.children.find((child) => child.textContent === 'Open');
  await open.listeners.click();
  seen.push({
    picture: elements.picture.src ?? null,
    name: document.getElementById('frame-name').textContent ?? '',
    enlarge: !elements.enlarge.disabled,
  });
}
console.log(JSON.stringify(seen));
// The page looks for news for ever.
process.exit(0);
