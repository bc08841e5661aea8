/* SPDX-License-Identifier: MIT */
/*
 * The institution's people, what both providers share: accounts, a login page, an administrator's
 * door on loopback, and the command line.
 */
import { parseArgs } from 'node:util';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

/* Everybody's password is "NAME-at-campus". mallory claims alice's address, which nobody has verified. */
export function makePeople(domain) {
  const person = (username, name, more = {}) => [username, {
    username, name, email: `${username}@${domain}`, email_verified: true, groups: [], role: 'member',
    password: `${username}-at-campus`, disabled: false, ...more,
  }];
  return new Map([
    person('alice', 'Alice Example', { groups: ['ops', 'dev'] }),
    person('bob', 'Bob Example', { groups: ['dev'] }),
    person('chen', 'Mei Chen', { groups: ['faculty'], role: 'admin' }),
    person('mallory', 'Mallory Example', { email: `alice@${domain}`, email_verified: false }),
    person('nomail', 'No Mail', { email: undefined, email_verified: undefined }),
    person('stranger', 'Somebody Else', { email: 'stranger@elsewhere.example' }),
  ]);
}

export function checkPassword(people, username, password) {
  const person = people.get(username);
  return person && !person.disabled && person.password === password ? person : undefined;
}

export function escapeHtml(text) {
  const names = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return String(text).replace(/[&<>"']/g, (c) => names[c]);
}

export function loginPage(action, hidden, failed, hint = '') {
  const fields = Object.entries(hidden)
    .map(([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`);
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Campus login</title>
<link rel="icon" href="data:,">
<h1>Campus login</h1>${failed ? '<p id="failed">That name and password do not fit.</p>' : ''}
<form method="post" action="${escapeHtml(action)}">${fields.join('')}
<label>Name <input name="username" autocomplete="off" value="${escapeHtml(hint)}"></label>
<label>Password <input name="password" type="password"></label>
<button id="login">Log in</button></form></html>`;
}

export function sendHtml(res, html, status = 200) {
  res.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  res.end(html);
}

export async function readBody(req) {
  const parts = [];
  let size = 0;
  for await (const part of req) {
    size += part.length;
    if (size > 1 << 20) throw new Error('the request is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

export const readForm = async (req) => new URLSearchParams(await readBody(req));

const address = (text) => {
  const at = text.lastIndexOf(':');
  return { host: text.slice(0, at), port: Number(text.slice(at + 1)) };
};

export function readOptions(more) {
  const { values } = parseArgs({
    options: {
      listen: { type: 'string', default: '127.0.0.1:0' },
      admin: { type: 'string', default: '127.0.0.1:0' },
      name: { type: 'string' }, /* in addresses: what the certificate is for */
      cert: { type: 'string' },
      key: { type: 'string' },
      domain: { type: 'string', default: 'example.edu' },
      ...more,
    },
  });
  return values;
}

/* Listen; the handler is made when the port is known. Resolves to the provider's own address. */
export async function serve(options, makeHandler) {
  const server = options.cert
    ? https.createServer({ cert: readFileSync(options.cert), key: readFileSync(options.key) })
    : http.createServer();
  const { host, port } = address(options.listen);
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  const url = `${options.cert ? 'https' : 'http'}://${options.name ?? host}:${server.address().port}`;
  const handler = await makeHandler(url);
  server.on('request', (req, res) => Promise.resolve(handler(req, res)).catch((error) => {
    console.error(error);
    if (!res.headersSent) res.writeHead(500);
    res.end();
  }));
  return url;
}

/*
 * The administrator's door. "routes" maps "METHOD /path/" to a function of what follows the path and the
 * JSON that was sent; its result is the answer.
 */
export async function serveAdmin(options, people, routes) {
  const all = {
    'PATCH /people/': (username, change) => {
      if (!people.has(username)) throw new Error('no such person');
      Object.assign(people.get(username), change);
      return { username };
    },
    ...routes,
  };
  const server = http.createServer(async (req, res) => {
    const at = req.url.indexOf('/', 1) + 1;
    const route = all[`${req.method} ${req.url.slice(0, at)}`];
    try {
      const body = await readBody(req);
      if (!route) throw new Error('no such route');
      const answer = await route(decodeURIComponent(req.url.slice(at)), body ? JSON.parse(body) : {});
      res.writeHead(200, { 'content-type': 'application/json' });
      res.end(`${JSON.stringify(answer)}\n`);
    } catch (error) {
      res.writeHead(400, { 'content-type': 'application/json' });
      res.end(`${JSON.stringify({ error: error.message })}\n`);
    }
  });
  const { host, port } = address(options.admin);
  await new Promise((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return `http://${host}:${server.address().port}`;
}
