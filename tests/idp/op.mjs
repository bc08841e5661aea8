/* SPDX-License-Identifier: MIT */
/*
 * An OpenID provider for the tests: oidc-provider with the people of people.mjs. README.md beside this
 * file has the options. Prints one line of JSON when it is ready: {"url", "admin"}.
 */
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import Provider from 'oidc-provider';
import {
  checkPassword, loginPage, makePeople, readForm, readOptions, sendHtml, serve, serveAdmin,
} from './people.mjs';

const options = readOptions({
  client: { type: 'string', multiple: true, default: [] }, /* JSON of a client's metadata */
  alg: { type: 'string', default: 'ES256' },
  ca: { type: 'string' }, /* whom back-channel logout trusts */
  session: { type: 'string', default: '3600' },
});
const people = makePeople(options.domain);
const clients = new Map();
const requests = new Map(); /* path -> how often */
let handler; /* of the provider, which is made anew when keys change */
let provider;

/* ---- what it remembers: survives a change of keys ---- */

const storage = new Map();

class Storage {
  constructor(model) {
    this.model = model;
  }

  rows() {
    if (!storage.has(this.model)) storage.set(this.model, new Map());
    return storage.get(this.model);
  }

  async upsert(id, payload, expiresIn) {
    this.rows().set(id, { payload, end: expiresIn ? Date.now() + expiresIn * 1000 : Infinity });
  }

  async find(id) {
    if (this.model === 'Client') return clients.get(id);
    const row = this.rows().get(id);
    return row && row.end > Date.now() ? row.payload : undefined;
  }

  findBy(field, value) {
    return [...this.rows().values()].map((row) => row.payload).find((payload) => payload[field] === value);
  }

  async findByUid(uid) {
    return this.findBy('uid', uid);
  }

  async findByUserCode(code) {
    return this.findBy('userCode', code);
  }

  async consume(id) {
    this.rows().get(id).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    this.rows().delete(id);
  }

  async revokeByGrantId(grantId) {
    for (const [id, row] of this.rows()) if (row.payload.grantId === grantId) this.rows().delete(id);
  }
}

/* ---- keys ---- */

const kinds = {
  RS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

function makeKey(alg) {
  const { privateKey } = generateKeyPairSync(...kinds[alg]);
  const jwk = { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig' };
  jwk.kid = createHash('sha256').update(JSON.stringify(jwk)).digest('base64url').slice(0, 16);
  return jwk;
}

let keys = Object.keys(kinds).map(makeKey);

/* ---- the provider ---- */

function addClient(client) {
  clients.set(client.client_id, {
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    id_token_signed_response_alg: options.alg,
    require_auth_time: true,
    backchannel_logout_session_required: true,
    ...client,
  });
}

async function findAccount(ctx, accountId) {
  const person = people.get(accountId.replace(/^sub-/, ''));
  if (!person || person.disabled) return undefined;
  return {
    accountId,
    claims: () => ({
      sub: accountId, email: person.email, email_verified: person.email_verified, name: person.name,
      preferred_username: person.username, groups: person.groups, campus: { role: person.role },
      ...person.claims,
    }),
  };
}

/* The institution has agreed for its people: nobody is asked for consent. */
async function loadExistingGrant(ctx) {
  const grantId = ctx.oidc.session.grantIdFor(ctx.oidc.client.clientId);
  const grant = (grantId && await ctx.oidc.provider.Grant.find(grantId)) ||
    new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
  grant.addOIDCScope(ctx.oidc.params.scope ?? 'openid');
  await grant.save();
  return grant;
}

const agents = { 'http:': new http.Agent(), 'https:': new https.Agent({ ca: options.ca && readFileSync(options.ca) }) };
const cookieKey = randomBytes(32).toString('hex');

function makeProvider(issuer) {
  provider = new Provider(issuer, {
    adapter: Storage,
    jwks: { keys },
    cookies: { keys: [cookieKey] },
    scopes: ['openid', 'offline_access', 'email', 'profile', 'groups'],
    claims: {
      openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups', 'campus'],
      profile: ['preferred_username', 'name'],
    },
    conformIdTokenClaims: false,
    enabledJWA: { idTokenSigningAlgValues: Object.keys(kinds) },
    features: {
      devInteractions: { enabled: false }, backchannelLogout: { enabled: true },
      revocation: { enabled: true },
    },
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true, methods: ['S256'] },
    findAccount,
    loadExistingGrant,
    issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: async () => false,
    httpOptions: (url) => ({ signal: AbortSignal.timeout(5000), agent: agents[url.protocol] }),
    ttl: {
      AccessToken: 300, AuthorizationCode: 60, Grant: 86400, IdToken: 300, Interaction: 600,
      RefreshToken: 86400, Session: Number(options.session),
    },
  });
  provider.on('server_error', (ctx, error) => console.error(error));
  handler = provider.callback();
}

/* ---- the pages of its own ---- */

async function interaction(req, res) {
  const { prompt, params, grantId, session } = await provider.interactionDetails(req, res);
  if (prompt.name !== 'login') {
    const grant = (grantId && await provider.Grant.find(grantId)) ||
      new provider.Grant({ clientId: params.client_id, accountId: session.accountId });
    grant.addOIDCScope(params.scope);
    return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } },
      { mergeWithLastSubmission: true });
  }
  if (req.method !== 'POST') return sendHtml(res, loginPage(req.url, {}, false, params.login_hint));
  const form = await readForm(req);
  const person = checkPassword(people, form.get('username'), form.get('password'));
  if (!person) return sendHtml(res, loginPage(req.url, {}, true), 403);
  return provider.interactionFinished(req, res, { login: { accountId: `sub-${person.username}` } },
    { mergeWithLastSubmission: false });
}

/* ---- the administrator ---- */

const rowsOf = (model, accountId) => [...(storage.get(model) ?? new Map())]
  .filter(([, row]) => row.payload.accountId === accountId);

/* End a person's sessions here, and tell every client that asked to be told. */
async function endSessions(username) {
  const told = [];
  for (const [id, row] of rowsOf('Session', `sub-${username}`)) {
    for (const [clientId, { sid }] of Object.entries(row.payload.authorizations ?? {})) {
      const client = await provider.Client.find(clientId);
      if (client?.backchannelLogoutUri) {
        const error = await client.backchannelLogout(`sub-${username}`, sid).then(() => undefined, (e) => e);
        told.push({ client: clientId, status: error ? error.response?.statusCode ?? error.message : 200 });
      }
    }
    storage.get('Session').delete(id);
  }
  return told;
}

const routes = (issuer) => ({
  'PUT /clients/': (id, client) => {
    addClient({ ...client, client_id: id });
    return { client_id: id };
  },
  'POST /logout/': endSessions,
  'POST /revoke/': (username) => {
    const rows = rowsOf('RefreshToken', `sub-${username}`);
    for (const [id] of rows) storage.get('RefreshToken').delete(id);
    return { revoked: rows.length };
  },
  'POST /keys/': (how) => {
    const fresh = Object.keys(kinds).map(makeKey);
    keys = how === 'keep' ? [...fresh, ...keys] : fresh;
    makeProvider(issuer);
    return { kids: keys.map((key) => key.kid) };
  },
  'GET /requests/': () => Object.fromEntries(requests),
});

for (const text of options.client) addClient(JSON.parse(text));
const url = await serve(options, (issuer) => {
  makeProvider(issuer);
  return (req, res) => {
    const path = req.url.replace(/\?.*/, '').replace(/^\/interaction\/.*/, '/interaction/');
    requests.set(path, (requests.get(path) ?? 0) + 1);
    return path === '/interaction/' ? interaction(req, res) : handler(req, res);
  };
});
const admin = await serveAdmin(options, people, routes(url));
console.log(JSON.stringify({ url, admin }));
