// An authorization server that is not ours: npm's certified `oidc-provider`, strict, with rotation
// of refresh tokens and revocation of the family on reuse.
//
// Environment: ISSUER (http on loopback), REDIRECT_URI, ACCESS_TTL and REFRESH_TTL in seconds, ROTATE
// (`never` leaves refresh tokens as they are), JWK: the public key of the client `jwt-client`, PLANTED:
// a file that gets each secret it gave or was given, for the canary.
// POST /__ctl/revoke?account=A ends all grants of one account, as its owner could at the provider.
// GET /__ctl/requests lists the token requests: grant type, status, error, never a token.
// GET /__ctl/refreshes lists those that refreshed: client, and fingerprints of the refresh tokens that
// came and went.
import { appendFileSync } from "node:fs";
import { createHash } from "node:crypto";
import http from "node:http";
import Provider from "oidc-provider";

const issuer = process.env.ISSUER;
const { hostname, port } = new URL(issuer);
const DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code";
const grantTypes = ["authorization_code", "refresh_token", "client_credentials", DEVICE_CODE];
const shared = {
  redirect_uris: [process.env.REDIRECT_URI],
  grant_types: grantTypes,
  response_types: ["code"],
};

const provider = new Provider(issuer, {
  clients: [
    {
      ...shared,
      // Characters that break a client which skips the form-encoding before Basic (RFC 6749
      // section 2.3.1).
      client_id: "basic client:1",
      client_secret: "p@ss +%:/?&= secret-0123456789abcdef",
      token_endpoint_auth_method: "client_secret_basic",
    },
    {
      ...shared,
      client_id: "post-client",
      client_secret: "post-secret-0123456789abcdef0123456789",
      token_endpoint_auth_method: "client_secret_post",
    },
    {
      ...shared,
      client_id: "public-client",
      grant_types: grantTypes.filter((grant) => grant !== "client_credentials"),
      token_endpoint_auth_method: "none",
    },
    ...(process.env.JWK
      ? [
          {
            ...shared,
            client_id: "jwt-client",
            jwks: { keys: [JSON.parse(process.env.JWK)] },
            token_endpoint_auth_method: "private_key_jwt",
          },
        ]
      : []),
  ],
  clientAuthMethods: ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"],
  scopes: ["openid", "offline_access", "profile", "email", "api:read", "api:write"],
  claims: { openid: ["sub"], profile: ["name"], email: ["email"] },
  pkce: { required: () => true },
  cookies: { keys: ["only-for-tests"] },
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
  rotateRefreshToken: process.env.ROTATE !== "never",
  ttl: {
    AccessToken: Number(process.env.ACCESS_TTL ?? 20),
    RefreshToken: Number(process.env.REFRESH_TTL ?? 86400),
    ClientCredentials: 600,
    AuthorizationCode: 60,
    DeviceCode: 600,
    Grant: 1209600,
    IdToken: 3600,
    Interaction: 3600,
    Session: 1209600,
  },
  findAccount: async (_ctx, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, name: id, email: `${id}@example.test` }),
  }),
});

// What changes hands at the token endpoint: the answer, and the one-time parts of the request.
const SECRETS = ["access_token", "refresh_token", "id_token", "code", "code_verifier", "device_code"];

function plant(values) {
  if (!process.env.PLANTED) return;
  for (const what of SECRETS) {
    const value = values?.[what];
    if (!value) continue;
    const line = JSON.stringify({ rule: "secret", what: `the provider's ${what}`, value });
    appendFileSync(process.env.PLANTED, `${line}\n`);
  }
}

const grants = new Map();
const requests = [];
const refreshes = [];
const fingerprint = (token) => createHash("sha256").update(token).digest("hex").slice(0, 16);
provider.on("grant.success", (ctx) => {
  const { Grant } = ctx.oidc.entities;
  if (Grant) grants.set(Grant.jti, Grant.accountId);
  requests.push({ grant: ctx.oidc.params.grant_type, status: 200 });
  plant(ctx.body);
  plant(ctx.oidc.params);
  if (ctx.oidc.params.grant_type === "refresh_token") {
    refreshes.push({
      client: ctx.oidc.client.clientId,
      came: fingerprint(ctx.oidc.params.refresh_token),
      went: ctx.body.refresh_token && fingerprint(ctx.body.refresh_token),
    });
  }
});
provider.on("grant.error", (ctx, error) => {
  requests.push({ grant: ctx.oidc.params?.grant_type, status: error.statusCode, error: error.error });
});

async function revoke(account) {
  let count = 0;
  for (const [id, owner] of grants) {
    if (owner !== account) continue;
    for (const kind of ["AccessToken", "RefreshToken", "AuthorizationCode"]) {
      await provider[kind].revokeByGrantId(id);
    }
    const grant = await provider.Grant.find(id);
    await grant?.destroy();
    grants.delete(id);
    count += 1;
  }
  return count;
}

const app = provider.callback();
http
  .createServer(async (request, response) => {
    const url = new URL(request.url, issuer);
    if (!url.pathname.startsWith("/__ctl/")) return app(request, response);
    response.setHeader("content-type", "application/json");
    if (request.method === "POST" && url.pathname === "/__ctl/revoke") {
      const revoked = await revoke(url.searchParams.get("account"));
      return response.end(JSON.stringify({ revoked }));
    }
    if (request.method === "GET" && url.pathname === "/__ctl/requests") {
      return response.end(JSON.stringify(requests));
    }
    if (request.method === "GET" && url.pathname === "/__ctl/refreshes") {
      return response.end(JSON.stringify(refreshes));
    }
    response.statusCode = 404;
    return response.end("{}");
  })
  .listen(Number(port), hostname);
