// Requests to the server. Refusals are thrown as errors with plain text.

const OWN = { 'X-Mmdsr': '1' };

async function read(response) {
  if (response.status === 204) {
    return null;
  }
  let content = null;
  try {
    content = await response.json();
  } catch {
    // Not an answer of the page itself: report the status.
  }
  if (!response.ok || content === null) {
    const text =
      `The server returned status ${response.status}: reload the page.`;
    throw new Error(content?.error ?? text);
  }
  return content;
}

async function send(address, options = {}) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Error('The server does not respond: is it still running?');
  }
  return read(response);
}

export function get(address) {
  return send(address);
}

export function remove(address) {
  return send(address, { method: 'DELETE', headers: OWN });
}

export function post(address, content) {
  return send(address, {
    method: 'POST',
    headers: { ...OWN, 'Content-Type': 'application/json' },
    body: JSON.stringify(content),
  });
}

// Unlike fetch, XMLHttpRequest reports the progress of an upload.
export function upload(file, progress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    const fail = (text) => reject(new Error(text));
    request.open('POST', `/api/files?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader('X-Mmdsr', '1');
    request.responseType = 'json';
    request.upload.onprogress = (event) => progress(event.loaded / file.size);
    request.onload = () => {
      if (request.status === 201) {
        resolve(request.response);
      } else {
        fail(request.response?.error ?? 'The server refused the file.');
      }
    };
    request.onerror = () => fail('The upload failed: try again.');
    request.onabort = () => fail('The upload was stopped.');
    request.send(file);
  });
  return { done, stop: () => request.abort() };
}
