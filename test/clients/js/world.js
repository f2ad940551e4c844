// The running world, as its endpoints file tells it, and the clients for it.
import { readFileSync } from "node:fs";
import { Resolver } from "node:dns/promises";
import { request } from "node:https";
import { ClientSecretCredential } from "@azure/identity";

const env = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; start these tests with ../run`);
  return value;
};

export const world = JSON.parse(readFileSync(env("TANDEM_ENDPOINTS"), "utf8"));
export const fixture = (name) => readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8");
export const ca = readFileSync(world.ca_file, "utf8");

// disableInstanceDiscovery keeps the library from asking the public cloud whether the authority is genuine.
export const credential = (secret = world.client_secret) =>
  new ClientSecretCredential(world.tenant_id, world.client_id, secret, { authorityHost: world.authority_url, disableInstanceDiscovery: true });

export const options = { endpoint: world.arm_url, credentialScopes: [`${world.arm_audience}.default`], credentials: { scopes: [`${world.arm_audience}.default`] } };

export async function all(pages) {
  const out = [];
  for await (const item of pages) out.push(item);
  return out;
}

/** Calls a gateway with the world's certificate authority. */
export function call(url, headers = {}) {
  return new Promise((resolve, reject) => {
    request(url, { headers, ca, agent: false }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() }));
      response.on("error", reject);
    }).on("error", reject).end();
  });
}

/** Calls until the status is as wanted, for at most five seconds: a change takes a moment to reach the gateway. */
export async function callUntil(status, url, headers) {
  const end = Date.now() + 5000;
  for (;;) {
    const answer = await call(url, headers);
    if (answer.status === status || Date.now() > end) return answer;
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Asks the world's DNS server for the addresses of a name, until there are some. */
export async function addresses(name) {
  const resolver = new Resolver({ timeout: 1000, tries: 2 });
  resolver.setServers([world.dns_addr]);
  const end = Date.now() + 5000;
  for (;;) {
    try {
      return await resolver.resolve4(name);
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((done) => setTimeout(done, 100));
    }
  }
}
