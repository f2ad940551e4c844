// One service's life through Azure's own JavaScript clients. The steps build on each other.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import { ApiManagementClient } from "@azure/arm-apimanagement";
import { AuthorizationManagementClient } from "@azure/arm-authorization";
import { ResourceManagementClient } from "@azure/arm-resources";
import { TrafficManagerManagementClient } from "@azure/arm-trafficmanager";
import { BlobServiceClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { addresses, all, callUntil, credential, fixture, options, world } from "./world.js";

const group = "clients-js";
const name = "clients-js";
const subscription = `/subscriptions/${world.subscription_id}`;
const scope = `${subscription}/resourceGroups/${group}`;
const signedIn = credential();
const apim = new ApiManagementClient(signedIn, world.subscription_id, options);
const resources = new ResourceManagementClient(signedIn, world.subscription_id, options);
const roles = new AuthorizationManagementClient(signedIn, world.subscription_id, options);
const traffic = new TrafficManagerManagementClient(signedIn, world.subscription_id, options);
const quick = { updateIntervalInMs: 100 };
const sku = { name: "Developer", capacity: 1 };

after(async () => {
  try {
    await resources.resourceGroups.beginDeleteAndWait(group, quick);
  } catch (error) {
    if (error.statusCode !== 404) throw error;
  }
});

test("sign-in", async () => {
  assert.ok((await signedIn.getToken(`${world.arm_audience}.default`)).token);
  await assert.rejects(credential("wrong").getToken(`${world.arm_audience}.default`), /AADSTS7000215|invalid_client/);
});

test("resource-group", async () => {
  const made = await resources.resourceGroups.createOrUpdate(group, { location: world.location, tags: { of: "clients" } });
  assert.equal(made.properties.provisioningState, "Succeeded");
  assert.equal((await resources.resourceGroups.checkExistence(group)).body, true);
  assert.equal((await resources.resourceGroups.checkExistence("absent")).body, false);
  assert.ok((await all(resources.resourceGroups.list())).some((g) => g.name === group));
  await assert.rejects(resources.resourceGroups.get("absent"), { code: "ResourceGroupNotFound", statusCode: 404 });
});

test("roles", async () => {
  const [reader] = await all(roles.roleDefinitions.list(scope, { filter: "roleName eq 'Reader'" }));
  assert.equal(reader.roleName, "Reader");
  const assignment = randomUUID();
  const made = await roles.roleAssignments.create(scope, assignment, { roleDefinitionId: reader.id, principalId: world.automation.client_object_id, principalType: "ServicePrincipal" });
  assert.equal(made.principalId, world.automation.client_object_id);
  assert.ok((await all(roles.roleAssignments.listForScope(scope))).some((a) => a.name === assignment));
  await roles.roleAssignments.delete(scope, assignment);
  assert.ok(!(await all(roles.roleAssignments.listForScope(scope))).some((a) => a.name === assignment));
});

let gateway;
test("service", async () => {
  const free = await apim.apiManagementService.checkNameAvailability({ name });
  assert.equal(free.nameAvailable, true);
  const made = await apim.apiManagementService.beginCreateOrUpdateAndWait(group, name, { location: world.location, sku, publisherEmail: "a@clients.example", publisherName: "Clients" }, quick);
  assert.equal(made.provisioningState, "Succeeded");
  const changed = await apim.apiManagementService.beginUpdateAndWait(group, name, { publisherName: "Clients of JavaScript", tags: { a: "b" } }, quick);
  assert.equal(changed.publisherName, "Clients of JavaScript");
  const shown = await apim.apiManagementService.get(group, name);
  assert.equal(shown.publisherEmail, "a@clients.example");
  assert.deepEqual(shown.tags, { a: "b" });
  gateway = shown.gatewayUrl;
  assert.ok((await all(apim.apiManagementService.listByResourceGroup(group))).some((s) => s.name === name));
  assert.ok((await all(apim.apiManagementService.list())).length >= 3);
  await assert.rejects(apim.apiManagementService.get(group, "absent"), { code: "ResourceNotFound", statusCode: 404 });
});

test("name-check", async () => {
  for (const taken of ["apim-primary", "apim-dr"]) assert.equal((await apim.apiManagementService.checkNameAvailability({ name: taken })).nameAvailable, false, taken);
});

test("named-values", async () => {
  await apim.namedValue.beginCreateOrUpdateAndWait(group, name, "greeting-plain", { displayName: "greeting-plain", value: "plain" }, quick);
  await apim.namedValue.beginCreateOrUpdateAndWait(group, name, "hidden", { displayName: "hidden", value: "not to be seen", secret: true, tags: ["t"] }, quick);
  assert.equal((await apim.namedValue.get(group, name, "greeting-plain")).value, "plain");
  assert.equal((await apim.namedValue.get(group, name, "hidden")).value, undefined);
  assert.equal((await apim.namedValue.listValue(group, name, "hidden")).value, "not to be seen");
  await apim.namedValue.beginUpdateAndWait(group, name, "greeting-plain", "*", { value: "changed" }, quick);
  assert.equal((await apim.namedValue.get(group, name, "greeting-plain")).value, "changed");
  const { eTag } = await apim.namedValue.getEntityTag(group, name, "greeting-plain");
  assert.ok(eTag);
  await assert.rejects(apim.namedValue.delete(group, name, "greeting-plain", '"stale"'), { statusCode: 412 });
  assert.equal((await all(apim.namedValue.listByService(group, name, { filter: "startswith(name,'hid')" }))).length, 1);
});

test("api-import", async () => {
  const made = await apim.api.beginCreateOrUpdateAndWait(group, name, "greeting", { format: "openapi+json", value: fixture("greeting.json"), path: "greeting", protocols: ["https"] }, quick);
  assert.equal(made.displayName, "Greeting");
  assert.equal(made.isCurrent, true);
  const link = await apim.apiExport.get(group, name, "greeting", "openapi+json-link", "true");
  assert.ok(JSON.stringify(link).includes("https://"), JSON.stringify(link));
  await assert.rejects(apim.api.beginCreateOrUpdateAndWait(group, name, "broken", { format: "openapi+json", value: "{", path: "broken" }, quick), { code: "ValidationError", statusCode: 400 });
});

test("operations", async () => {
  assert.deepEqual((await all(apim.apiOperation.listByApi(group, name, "greeting"))).map((o) => o.name).sort(), ["keep-hello", "say-hello"]);
  await apim.apiOperation.createOrUpdate(group, name, "greeting", "wave", { displayName: "Wave", method: "POST", urlTemplate: "/wave/{hand}", templateParameters: [{ name: "hand", type: "string", required: true }] });
  await apim.apiOperation.update(group, name, "greeting", "wave", "*", { displayName: "Wave back" });
  assert.equal((await apim.apiOperation.get(group, name, "greeting", "wave")).displayName, "Wave back");
  await apim.apiOperation.delete(group, name, "greeting", "wave", "*");
  await assert.rejects(apim.apiOperation.get(group, name, "greeting", "wave"), { statusCode: 404 });
});

test("policies", async () => {
  await apim.apiOperationPolicy.createOrUpdate(group, name, "greeting", "say-hello", "policy", { format: "rawxml", value: fixture("greeting.xml") });
  const raw = await apim.apiOperationPolicy.get(group, name, "greeting", "say-hello", "policy", { format: "rawxml" });
  assert.match(raw.value, /"good day "/);
  await apim.apiPolicy.createOrUpdate(group, name, "greeting", "policy", { format: "xml", value: "<policies><inbound><base /></inbound><backend><base /></backend><outbound><base /></outbound><on-error><base /></on-error></policies>" });
  assert.equal((await apim.apiPolicy.listByApi(group, name, "greeting")).value.length, 1);
  await assert.rejects(apim.apiPolicy.createOrUpdate(group, name, "greeting", "policy", { format: "rawxml", value: "<policies><inbound><no-such /></inbound></policies>" }), { code: "ValidationError", statusCode: 400 });
  assert.ok((await all(apim.policy.listByService(group, name))).length <= 1);
});

test("revisions-releases", async () => {
  const revision = await apim.api.beginCreateOrUpdateAndWait(group, name, "greeting;rev=2", { sourceApiId: `${scope}/providers/Microsoft.ApiManagement/service/${name}/apis/greeting`, path: "greeting", apiRevisionDescription: "second" }, quick);
  assert.equal(revision.apiRevision, "2");
  assert.equal((await all(apim.apiRevision.listByService(group, name, "greeting"))).length, 2);
  await apim.apiRelease.createOrUpdate(group, name, "greeting", "r2", { apiId: `${scope}/providers/Microsoft.ApiManagement/service/${name}/apis/greeting;rev=2`, notes: "second is current" });
  assert.equal((await apim.api.get(group, name, "greeting")).apiRevision, "2");
  assert.equal((await all(apim.apiRelease.listByService(group, name, "greeting"))).length, 1);
  const policy = await apim.apiOperationPolicy.get(group, name, "greeting", "say-hello", "policy", { format: "rawxml" });
  assert.match(policy.value, /"good day "/);
});

test("product-links", async () => {
  await apim.product.createOrUpdate(group, name, "gold", { displayName: "Gold", state: "published", subscriptionRequired: true, approvalRequired: false });
  await apim.productApiLink.createOrUpdate(group, name, "gold", "greeting", { apiId: `${scope}/providers/Microsoft.ApiManagement/service/${name}/apis/greeting` });
  assert.equal((await all(apim.productApiLink.listByProduct(group, name, "gold"))).length, 1);
  const linked = (await all(apim.productApi.listByProduct(group, name, "gold"))).map((a) => a.name);
  await apim.productApiLink.delete(group, name, "gold", "greeting");
  assert.equal((await all(apim.productApi.listByProduct(group, name, "gold"))).length, 0);
  await apim.productApi.createOrUpdate(group, name, "gold", "greeting");
  await apim.productApi.checkEntityExists(group, name, "gold", "greeting");
  await apim.product.update(group, name, "gold", "*", { description: "for those who greet" });
  assert.equal((await apim.product.get(group, name, "gold")).description, "for those who greet");
  assert.deepEqual(linked, ["greeting"], "a linked API is in the product");
});

let keys;
test("subscription-keys", async () => {
  const made = await apim.subscription.createOrUpdate(group, name, "caller", { displayName: "Caller", scope: `${scope}/providers/Microsoft.ApiManagement/service/${name}/products/gold`, state: "active" });
  assert.equal(made.state, "active");
  assert.equal((await apim.subscription.get(group, name, "caller")).primaryKey, undefined);
  const first = await apim.subscription.listSecrets(group, name, "caller");
  assert.ok(first.primaryKey && first.secondaryKey);
  await apim.subscription.regeneratePrimaryKey(group, name, "caller");
  await apim.subscription.regenerateSecondaryKey(group, name, "caller");
  keys = await apim.subscription.listSecrets(group, name, "caller");
  assert.notEqual(keys.primaryKey, first.primaryKey);
  assert.notEqual(keys.secondaryKey, first.secondaryKey);
});

test("gateway-call", async () => {
  const url = `${gateway}/greeting/hello/Ada`;
  const answer = await callUntil(200, url, { "Ocp-Apim-Subscription-Key": keys.primaryKey });
  assert.equal(answer.status, 200, answer.body);
  assert.equal(answer.body, "good day Ada");
  assert.equal(answer.headers["x-greeting"], "changed");
  assert.equal((await callUntil(401, url)).status, 401);
});

test("tags-version-sets", async () => {
  await apim.tag.createOrUpdate(group, name, "warm", { displayName: "warm" });
  await apim.tag.assignToApi(group, name, "greeting", "warm");
  await apim.tag.assignToOperation(group, name, "greeting", "say-hello", "warm");
  assert.deepEqual((await all(apim.tag.listByApi(group, name, "greeting"))).map((t) => t.displayName), ["warm"]);
  await apim.apiVersionSet.createOrUpdate(group, name, "greetings", { displayName: "Greetings", versioningScheme: "Segment" });
  await apim.api.beginCreateOrUpdateAndWait(group, name, "greeting-v2", { displayName: "Greeting 2", path: "greetings", apiVersion: "v2", protocols: ["https"], apiVersionSetId: `${scope}/providers/Microsoft.ApiManagement/service/${name}/apiVersionSets/greetings` }, quick);
  assert.equal((await apim.api.get(group, name, "greeting-v2")).apiVersion, "v2");
  await assert.rejects(apim.apiVersionSet.delete(group, name, "greetings", "*"), { statusCode: 400 });
  await apim.api.beginDeleteAndWait(group, name, "greeting-v2", "*", { ...quick, deleteRevisions: true });
  await apim.apiVersionSet.delete(group, name, "greetings", "*");
});

test("backup-restore", async () => {
  const container = { storageAccount: world.storage.account, containerName: world.storage.container, backupName: "clients-js.backup", accessType: "AccessKey", accessKey: world.storage.key };
  const of = await apim.apiManagementService.beginBackupAndWait("APIMPrimaryRG", "apim-primary", container, quick);
  assert.equal(of.name, "apim-primary");
  const to = await apim.apiManagementService.beginRestoreAndWait("APIMDRRG", "apim-dr", container, quick);
  assert.equal(to.name, "apim-dr");
  const [primary, standby] = await Promise.all([["APIMPrimaryRG", "apim-primary"], ["APIMDRRG", "apim-dr"]].map(([g, s]) => apim.subscription.listSecrets(g, s, "parcels-client")));
  assert.equal(standby.primaryKey, primary.primaryKey);
  const answer = await callUntil(200, `${world.gateways["apim-dr"].url}/parcels-api/parcels/p1`, { "Ocp-Apim-Subscription-Key": primary.primaryKey });
  assert.equal(answer.status, 200, answer.body);
});

test("traffic", async () => {
  const made = await traffic.profiles.createOrUpdate(group, "greetings", {
    location: "global", trafficRoutingMethod: "Priority", dnsConfig: { relativeName: "clients-js", ttl: 10 },
    monitorConfig: { protocol: "HTTPS", port: Number(new URL(gateway).port), path: "/status-0123456789abcdef" },
  });
  assert.equal(made.dnsConfig.fqdn, "clients-js.trafficmanager.net");
  await traffic.endpoints.createOrUpdate(group, "greetings", "ExternalEndpoints", "first", { target: new URL(gateway).hostname, priority: 1, endpointStatus: "Enabled", alwaysServe: "Enabled" });
  assert.equal((await traffic.profiles.get(group, "greetings")).endpoints.length, 1);
  assert.deepEqual(await addresses("clients-js.trafficmanager.net"), [new URL(gateway).hostname]);
  assert.equal((await traffic.profiles.checkTrafficManagerRelativeDnsNameAvailability({ name: "clients-js", type: "Microsoft.Network/trafficManagerProfiles" })).nameAvailable, false);
  await traffic.endpoints.delete(group, "greetings", "ExternalEndpoints", "first");
  await traffic.profiles.delete(group, "greetings");
  await assert.rejects(traffic.profiles.get(group, "greetings"), { statusCode: 404 });
});

test("storage-blob", async () => {
  const shared = new BlobServiceClient(world.storage.blob_url, new StorageSharedKeyCredential(world.storage.account, world.storage.key));
  const container = shared.getContainerClient("clients-js");
  await container.createIfNotExists();
  const blob = container.getBlockBlobClient("a folder/greeting.txt");
  const body = Buffer.alloc(6 << 20, "good day ");
  await blob.uploadData(body, { blockSize: 1 << 20, maxSingleShotSize: 1 << 20, metadata: { of: "clients" }, blobHTTPHeaders: { blobContentType: "text/plain" } });
  assert.ok(body.equals(await blob.downloadToBuffer()));
  assert.equal((await blob.getProperties()).metadata.of, "clients");
  assert.deepEqual((await all(container.listBlobsFlat({ prefix: "a folder/" }))).map((b) => b.name), ["a folder/greeting.txt"]);
  await assert.rejects(blob.uploadData(Buffer.from("x"), { conditions: { ifNoneMatch: "*" } }), { statusCode: 409 });
  await container.delete();
  const wrong = new BlobServiceClient(world.storage.blob_url, new StorageSharedKeyCredential(world.storage.account, Buffer.from("wrong").toString("base64")));
  await assert.rejects(wrong.getContainerClient(world.storage.container).getProperties(), { statusCode: 403 });
});

test("delete", async () => {
  await apim.api.beginDeleteAndWait(group, name, "greeting", "*", { ...quick, deleteRevisions: true });
  await apim.product.delete(group, name, "gold", "*", { deleteSubscriptions: true });
  await assert.rejects(apim.subscription.get(group, name, "caller"), { statusCode: 404 });
  await apim.apiManagementService.beginDeleteAndWait(group, name, quick);
  await assert.rejects(apim.apiManagementService.get(group, name), { statusCode: 404 });
});

test("soft-delete", async () => {
  assert.ok((await all(apim.deletedServices.listBySubscription())).some((s) => s.name === name));
  await apim.deletedServices.beginPurgeAndWait(name, world.location, quick);
  assert.ok(!(await all(apim.deletedServices.listBySubscription())).some((s) => s.name === name));
});
