/* SPDX-License-Identifier: MIT */
/*
 * A SAML 2.0 identity provider for the tests: samlify with the people of people.mjs. README.md beside
 * this file has the options. Prints one line of JSON when it is ready: {"url", "admin", "metadata"}.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import * as samlify from 'samlify';
import {
  checkPassword, escapeHtml, loginPage, makePeople, readForm, readOptions, sendHtml, serve, serveAdmin,
} from './people.mjs';

const options = readOptions({
  'signing-cert': { type: 'string' },
  'signing-key': { type: 'string' },
  session: { type: 'string', default: '3600' },
});
const people = makePeople(options.domain);
const services = new Map(); /* entity id -> a ServiceProvider for each of its signing certificates */
const sessions = new Map(); /* cookie -> {username, at, end} */
let idp;

/* Our own metadata and requests come from the service under test, whose parser is what is tested. */
samlify.setSchemaValidator({ validate: async () => 'not checked' });

function signingPair() {
  if (options['signing-cert']) {
    return ['signing-cert', 'signing-key'].map((name) => readFileSync(options[name], 'utf8'));
  }
  const dir = mkdtempSync(join(tmpdir(), 'saml-idp-'));
  try {
    const [cert, key] = ['cert', 'key'].map((name) => join(dir, name));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-sha256', '-days', '30',
      '-subj', '/CN=Campus SAML', '-keyout', key, '-out', cert], { stdio: 'ignore' });
    return [cert, key].map((file) => readFileSync(file, 'utf8'));
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/* ---- what it says ---- */

const template = `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"
 xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{ID}" Version="2.0" IssueInstant="{Now}"
 Destination="{Acs}" InResponseTo="{Request}"><saml:Issuer>{Issuer}</saml:Issuer><samlp:Status>
<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
<saml:Assertion ID="{Assertion}" Version="2.0" IssueInstant="{Now}"><saml:Issuer>{Issuer}</saml:Issuer>
<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{Subject}</saml:NameID>
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData
 NotOnOrAfter="{Later}" Recipient="{Acs}" InResponseTo="{Request}"/></saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="{Before}" NotOnOrAfter="{Later}"><saml:AudienceRestriction>
<saml:Audience>{Audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="{Login}" SessionIndex="{Session}"><saml:AuthnContext>
<saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef>
</saml:AuthnContext></saml:AuthnStatement><saml:AttributeStatement>{Attributes}</saml:AttributeStatement>
</saml:Assertion></samlp:Response>`;

const attribute = (name, values) => (values.length === 0 ? '' :
  `<saml:Attribute Name="${name}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:basic">${
    values.map((v) => `<saml:AttributeValue>${escapeHtml(v)}</saml:AttributeValue>`).join('')}</saml:Attribute>`);

const attributes = (person) => [
  attribute('mail', person.email ? [person.email] : []), attribute('displayName', [person.name]),
  attribute('uid', [person.username]), attribute('groups', person.groups), attribute('role', [person.role]),
].join('');

const instant = (ms) => new Date(ms).toISOString();

async function makeResponse(sp, request, person, session, url) {
  const now = Date.now();
  const values = {
    ID: `_${randomUUID()}`, Assertion: `_${randomUUID()}`, Request: request.extract.request.id,
    Issuer: `${url}/metadata`, Acs: sp.entityMeta.getAssertionConsumerService('post'),
    Audience: sp.entityMeta.getEntityID(), Subject: `saml-${person.username}`, Session: session.index,
    Now: instant(now), Before: instant(now - 30000), Later: instant(now + 300000), Login: instant(session.at),
  };
  const { context } = await idp.createLoginResponse(sp, request, 'post', person, (text) => ({
    id: values.ID,
    context: Object.entries(values)
      .reduce((all, [name, value]) => all.replaceAll(`{${name}}`, escapeHtml(value)), text)
      .replace('{Attributes}', attributes(person)),
  }));
  return { context, acs: values.Acs };
}

/* ---- the pages ---- */

const fields = (query) => Object.fromEntries(['SAMLRequest', 'RelayState', 'SigAlg', 'Signature']
  .filter((name) => query.has(name)).map((name) => [name, query.get(name)]));

/* What was signed is the text as it came (saml-bindings 3.4.4.1). */
const signedText = (raw) => ['SAMLRequest', 'RelayState', 'SigAlg']
  .map((name) => raw.split('&').find((part) => part.startsWith(`${name}=`))).filter(Boolean).join('&');

/* samlify verifies by one certificate; metadata may have several. */
const SIGNING = /<(\w+:)?KeyDescriptor use="signing">.*?<\/\1KeyDescriptor>/gs;
const makeServices = (metadata) => [...metadata.matchAll(SIGNING)].map(([one]) => samlify.ServiceProvider({
  metadata: metadata.replace(SIGNING, (key) => (key === one ? key : '')),
}));

async function parseRequest(all, query, raw) {
  let failure;
  for (const sp of all) {
    try {
      return { sp, request: await idp.parseLoginRequest(sp, 'redirect', { query, octetString: signedText(raw) }) };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

async function readRequest(raw) {
  const query = fields(new URLSearchParams(raw));
  const xml = inflateRawSync(Buffer.from(query.SAMLRequest ?? '', 'base64')).toString();
  const issuer = /<(?:\w+:)?Issuer[^>]*>([^<]*)</.exec(xml)?.[1];
  if (!services.has(issuer)) throw new Error(`no such service: ${issuer}`);
  const { sp, request } = await parseRequest(services.get(issuer), query, raw);
  return { sp, request, force: /\bForceAuthn="(true|1)"/.test(xml), relay: query.RelayState };
}

function sessionOf(req) {
  const session = sessions.get(/(?:^|; )campus=(\w+)/.exec(req.headers.cookie ?? '')?.[1]);
  return session && session.end > Date.now() ? session : undefined;
}

async function answer(res, { sp, request, relay }, person, session, url) {
  const { context, acs } = await makeResponse(sp, request, person, session, url);
  const state = relay === undefined ? '' : `<input type="hidden" name="RelayState" value="${escapeHtml(relay)}">`;
  sendHtml(res, `<!doctype html><html lang="en"><meta charset="utf-8"><title>Campus login</title>
<link rel="icon" href="data:,"><form method="post" action="${escapeHtml(acs)}">
<input type="hidden" name="SAMLResponse" value="${context}">${state}<button>Continue</button></form>
<script>document.forms[0].submit();</script></html>`);
}

async function singleSignOn(req, res, raw, url) {
  let asked;
  try {
    asked = await readRequest(raw);
  } catch (error) {
    return sendHtml(res, `<h1>Refused</h1><p id="refused">${escapeHtml(error?.message ?? error)}</p>`, 400);
  }
  const session = sessionOf(req);
  const person = session && people.get(session.username);
  if (person && !person.disabled && !asked.force && req.method === 'GET') {
    return answer(res, asked, person, session, url);
  }
  if (req.method !== 'POST') return sendHtml(res, loginPage(`/sso?${raw}`, {}, false));
  const form = await readForm(req);
  const who = checkPassword(people, form.get('username'), form.get('password'));
  if (!who) return sendHtml(res, loginPage(`/sso?${raw}`, {}, true), 403);
  const cookie = randomBytes(16).toString('hex');
  const fresh = {
    username: who.username, at: Date.now(), end: Date.now() + Number(options.session) * 1000, index: `_${randomUUID()}`,
  };
  sessions.set(cookie, fresh);
  res.setHeader('set-cookie', `campus=${cookie}; Path=/; HttpOnly; SameSite=Lax`);
  return answer(res, asked, who, fresh, url);
}

/* ---- the administrator ---- */

const routes = {
  'PUT /services/': (_, { metadata }) => {
    const all = makeServices(metadata);
    services.set(all[0].entityMeta.getEntityID(), all);
    return { entity: all[0].entityMeta.getEntityID() };
  },
  'POST /logout/': (username) => {
    for (const [cookie, session] of sessions) if (session.username === username) sessions.delete(cookie);
    return {};
  },
};

const [cert, key] = signingPair();
const url = await serve(options, (own) => {
  idp = samlify.IdentityProvider({
    entityID: `${own}/metadata`,
    signingCert: cert,
    privateKey: key,
    wantAuthnRequestsSigned: true,
    requestSignatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    nameIDFormat: ['urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'],
    singleSignOnService: [{ Binding: 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect', Location: `${own}/sso` }],
    loginResponseTemplate: { context: template, attributes: [] },
  });
  return (req, res) => {
    const [path, raw = ''] = req.url.split('?');
    if (path === '/sso') return singleSignOn(req, res, raw, own);
    if (path !== '/metadata') return sendHtml(res, '<h1>Not found</h1>', 404);
    res.writeHead(200, { 'content-type': 'application/samlmetadata+xml' });
    return res.end(idp.getMetadata());
  };
});
const admin = await serveAdmin(options, people, routes);
console.log(JSON.stringify({ url, admin, metadata: `${url}/metadata`, entity: `${url}/metadata` }));
