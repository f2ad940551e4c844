// Drives the console of a world (`tandem up`) as a person does: signs in, walks all pages, changes something, and looks with
// axe for faults of accessibility. It leaves pictures in out/, and with --pictures those of docs/console.md in docs/pictures.
//
//   node walk.mjs [--tandem PROGRAM | --endpoints DIR/endpoints.json] [--pictures]
//
// Without --endpoints it starts a world of its own, and ends it.
//
// The exit code is 0 where all held, 1 where something did not, 77 where a part is not installed.
import { readFileSync, mkdirSync, mkdtempSync, rmSync, existsSync } from "node:fs";
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const here = dirname(fileURLToPath(import.meta.url));
const skip = (why) => { console.log("SKIP: " + why); process.exit(77); };
const chromiumAt = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(chromiumAt)) skip("Chromium is not installed (apt-get install chromium, or set CHROMIUM)");
let chromium, axe;
try {
  ({ chromium } = await import("playwright-core"));
  axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
} catch {
  skip("the test's packages are not installed (npm ci in test/console)");
}

const flag = (name) => { const i = process.argv.indexOf(name); return i < 0 ? undefined : process.argv[i + 1] ?? ""; };
const pictures = process.argv.includes("--pictures");
let endpoints = flag("--endpoints"), end = async () => {};
if (!endpoints) {
  const program = flag("--tandem") ?? "tandem", dir = mkdtempSync(join(tmpdir(), "tandem-console-"));
  const child = spawn(program, ["up", "--dir", dir, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((done) => { child.on("exit", done); child.on("error", (e) => { console.log(`${program} cannot be started: ${e.message}`); done(); }); });
  end = async () => { child.kill("SIGINT"); await ended; rmSync(dir, { recursive: true, force: true }); };
  const up = await Promise.race([ended.then(() => false), new Promise((done) => child.stdout.once("data", () => done(true)))]);
  if (!up) { rmSync(dir, { recursive: true, force: true }); process.exit(1); }
  endpoints = join(dir, "endpoints.json");
}
const world = JSON.parse(readFileSync(endpoints, "utf8"));
const out = join(here, "out"), docs = join(here, "../../docs/pictures");
// Those that docs/console.md shows.
const shown = ["overview", "overview-switched", "profile", "take-out", "backup", "api"];
mkdirSync(pictures ? docs : out, { recursive: true });

// The deployment has its own authority; the browser is told to take its certificates. Nothing else is relaxed.
const browser = await chromium.launch({ executablePath: chromiumAt, args: ["--no-sandbox", "--disable-gpu"] });
const faults = [];
let transferred = 0;

async function open(options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 1200, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("console", (m) => { if (m.type() === "error" && !/status of (401|403|404)/.test(m.text())) faults.push(`${page.url()}: ${m.text()}`); });
  page.on("pageerror", (e) => faults.push(`${page.url()}: ${e}`));
  page.on("request", (r) => { if (!r.url().startsWith(world.console_url)) faults.push("a request left the console: " + r.url()); });
  return page;
}

async function signIn(page, id, secret) {
  await page.goto(world.console_url);
  await page.fill("#client_id", id);
  await page.fill("#client_secret", secret);
  await page.click("button:text('Sign in')");
}

// look lets axe look at the page, from the narrowest width, and takes a picture.
async function look(page, name) {
  await page.setViewportSize({ width: 360, height: 800 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  if (wide > 360) faults.push(`${name}: is ${wide} pixels wide where 360 are`);
  if (!pictures) await page.screenshot({ path: join(out, name + "-narrow.png"), fullPage: true });
  await page.setViewportSize({ width: 1200, height: 900 });
  for (const scheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme: scheme });
    const result = await page.evaluate(`${axe}; axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] })`);
    for (const v of result.violations) {
      if (["serious", "critical"].includes(v.impact)) faults.push(`${name} (${scheme}): ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target + " " + n.any.map((a) => a.message)).join(" | ")}`);
    }
    if (!pictures) await page.screenshot({ path: join(out, `${name}-${scheme}.png`), fullPage: true });
  }
  if (pictures && shown.includes(name)) await page.screenshot({ path: join(docs, `console-${name}.png`) });
}

async function step(name, does) {
  try { await does(); console.log("ok   " + name); } catch (e) { faults.push(`${name}: ${e.message}`); console.log("FAIL " + name + ": " + e.message); }
}

const page = await open();
const sizes = await page.context().newCDPSession(page);
await sizes.send("Network.enable");
sizes.on("Network.loadingFinished", (e) => { transferred += e.encodedDataLength; });

await step("a wrong secret is refused", async () => {
  await signIn(page, world.client_id, "wrong");
  await page.waitForSelector("[role=alert]:has-text('does not take this client id')");
  await look(page, "sign-in");
});
await step("sign in and see the overview", async () => {
  await signIn(page, world.client_id, world.client_secret); // with what the sign-in page loaded before
  await page.waitForSelector("h1:text('Overview')");
  await page.waitForSelector(".region.serving:has-text('centralindia')");
  await page.waitForSelector("#newest-backup");
  assert.ok(transferred < 300 * 1024, `the first view took ${transferred} bytes`);
  console.log(`     first view: ${(transferred / 1024).toFixed(0)} KiB`);
  await look(page, "overview");
});
await step("cookies are closed to scripts", async () => {
  const [cookie] = (await page.context().cookies()).filter((c) => c.name === "__Host-tandem");
  assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === "Strict");
});
await step("keyboard: the first stop skips to the content", async () => {
  await page.goto(world.console_url);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
});
await step("traffic", async () => {
  await page.click("nav >> text=Traffic");
  await page.waitForSelector("table >> text=primary");
  await look(page, "traffic");
});
await step("a profile is live, with its chart", async () => {
  await page.click(`text=${world.traffic_name}`);
  await page.waitForSelector("#chart canvas");
  await page.fill("#client", "203.0.113.7");
  await page.click("button:text('Ask')");
  await page.waitForSelector("#asked :text('203.0.113.7')");
  const first = await page.textContent("#probes + .grid tbody tr td");
  await page.waitForFunction((was) => document.querySelector("#probes + .grid tbody tr td")?.textContent !== was, first);
  await page.waitForTimeout(5000); // so that the chart has a line to show
  await look(page, "profile");
});
await step("take an endpoint out, see it live, put it back", async () => {
  const other = await open({ storageState: await page.context().storageState() });
  await other.goto(world.console_url);
  await page.click("#primary-o");
  const button = page.locator("button.danger");
  assert.ok(await button.isDisabled(), "the button waits for the name");
  await page.fill("#confirm", "primary");
  await look(page, "take-out");
  await button.click();
  await page.waitForSelector("text=Taken out by hand");
  await other.waitForSelector(".region.serving:has-text('southindia')"); // no reload
  await look(other, "overview-switched");
  await page.click("#primary-m");
  await page.click("button:text('End the override')");
  await page.waitForSelector("td:has-text('Online') >> nth=1");
  await other.context().close();
});
await step("back up now, and watch it", async () => {
  await page.click("nav >> text=Backups");
  await look(page, "backups");
  await page.click("text=Back up apim-primary");
  await page.fill("#blob", "walk.apimbackup");
  await look(page, "back-up");
  await page.click("main button");
  await page.waitForSelector("text=Succeeded");
  await look(page, "operation");
});
await step("open the backup", async () => {
  await page.goto(world.console_url + "/backups");
  await page.click("text=walk.apimbackup");
  await page.waitForSelector("text=It was read to its end just now");
  await page.click("summary >> nth=0");
  await look(page, "backup");
});
await step("restore into the standby, by its name", async () => {
  await page.click("text=Restore into apim-dr");
  await page.fill("#confirm", "apim-dr");
  await look(page, "restore");
  await page.click("main button");
  await page.waitForSelector("text=Succeeded");
});
await step("services, keys on demand, policies", async () => {
  await page.click("nav >> text=Services");
  await page.waitForSelector("table >> text=apim-primary");
  await look(page, "services");
  await page.click("table >> text=apim-primary");
  assert.ok(!(await page.content()).includes("known only to the service"), "a secret named value is shown");
  await page.click("[aria-label='Show the keys of Parcels client']");
  await page.waitForSelector(".keys dd");
  await look(page, "service");
  await page.click("#apis + .scroll a");
  await page.waitForSelector(".x-expr");
  await look(page, "api");
});
await step("activity", async () => {
  await page.click("nav >> text=Activity");
  await page.waitForSelector("text=Microsoft.ApiManagement/service/restore/action");
  await look(page, "activity");
});
await step("sign out ends the session", async () => {
  const state = await page.context().storageState();
  await page.click("text=Sign out");
  await page.waitForSelector("h1:text('Sign in')");
  const old = await open({ storageState: state });
  await old.goto(world.console_url);
  await old.waitForSelector("h1:text('Sign in')");
});
await step("the automation's role does not show the activity", async () => {
  await signIn(page, world.automation.client_id, world.automation.client_secret);
  await page.waitForSelector("h1:text('Overview')");
  await page.goto(world.console_url + "/activity");
  await page.waitForSelector("text=Your role does not show the activity");
});

await browser.close();
await end();
for (const f of faults) console.log("FAULT " + f);
console.log(faults.length ? `${faults.length} faults` : "all held");
process.exit(faults.length ? 1 : 0);
