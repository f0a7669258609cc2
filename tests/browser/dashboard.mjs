// The dashboard as people use it: every page in both themes and at phone width, looked at by axe; a pause by keyboard;
// a page that follows a change by itself. Arguments: where it answers, the folder for screenshots.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const [place, shots] = process.argv.slice(2);
const { OUTREACHD, PROJECT, CHROMIUM = "/usr/bin/chromium" } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const outreachd = (...words) => promisify(execFile)(OUTREACHD, ["-C", PROJECT, ...words]);
mkdirSync(shots, { recursive: true });

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

/** A page that complains about anything it should not do. */
const open = async (options) => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => { if (message.type() === "error") faults.push(message.text()); });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(place) && !request.url().startsWith("data:")) faults.push(`asked ${request.url()}`);
  });
  return { context, page, faults };
};

/** Waits until what is loaded after the page is there. */
const loaded = (page) => page.waitForFunction(() =>
  [...document.querySelectorAll("[data-load]")].every((one) => one.dataset.loaded && !one.querySelector("[data-again]")));

const look = async (page, name) => {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
  const told = grave.map(({ id, help, nodes }) =>
    `${id}: ${help}: ${nodes.slice(0, 3).map((node) => `${node.html} ${node.failureSummary}`).join(" | ")}`);
  assert.deepEqual(told, [], `${name}: what axe finds`);
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(tooWide <= 1, `${name} is ${tooWide} pixels wider than the window`);
};

const known = JSON.parse((await outreachd("status", "--format", "json")).stdout);
const first = known.campaigns[0].number;
const probe = await open({});
await probe.page.goto(`${place}/campaigns/${first}`);
await loaded(probe.page);
await probe.page.goto(`${place}/contacts`);
await probe.page.getByLabel("Address or id").fill(process.env.CONTACT);
await probe.page.keyboard.press("Enter");
// One is opened; of several one is chosen.
await probe.page.locator("#timeline, main li a").first().waitFor();
if (probe.page.url().endsWith("/contacts")) await probe.page.locator("main li a").first().click();
await probe.page.waitForURL(/\/contacts\/[0-9a-f-]{36}$/);
const contact = new URL(probe.page.url()).pathname;
assert.ok(!contact.includes("@"));
await probe.context.close();

const pages = { overview: "/", campaign: `/campaigns/${first}`, contact, contacts: "/contacts", doubts: "/doubts",
  replies: "/replies", providers: "/providers", files: "/files", events: "/events", "sign-in": "/sign-in" };
const views = {
  light: { colorScheme: "light", viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: "light", viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true },
};
for (const [view, options] of Object.entries(views)) {
  const { context, page, faults } = await open(options);
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(place + path);
    await loaded(page);
    await page.screenshot({ path: `${shots}/${name}-${view}.png`, fullPage: true });
    await look(page, `${name} ${view}`);
  }
  assert.deepEqual(faults, [], view);
  await context.close();
}
console.log(`${Object.keys(pages).length} pages in ${Object.keys(views).length} views: axe finds nothing grave`);

// A pause, by keyboard alone.
{
  const { context, page, faults } = await open(views.light);
  await page.goto(`${place}/campaigns/${first}`);
  const reach = async (selector) => {
    for (let steps = 0; steps < 60; steps += 1) {
      await page.keyboard.press("Tab");
      if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
    }
    assert.fail(`${selector} is not reached by Tab`);
  };
  await reach("details.deed > summary");
  await page.keyboard.press("Enter");
  await reach("input[name=reason]");
  await page.keyboard.type("texts are being reviewed");
  await reach("details.deed button");
  await page.keyboard.press("Enter");
  await page.getByRole("status").getByText("Paused. Stops still go out.").waitFor();
  await page.getByText("texts are being reviewed").first().waitFor();
  await page.screenshot({ path: `${shots}/paused-light.png`, fullPage: true });
  await look(page, "paused");

  // Somebody else ends it; the open page shows that by itself.
  await outreachd("resume", String(first), "--reason", "reviewed");
  await page.locator("details.deed summary", { hasText: "Pause" }).waitFor({ timeout: 20_000 });
  assert.deepEqual(faults, []);
  await context.close();
}
console.log("a pause by keyboard, and a page that follows a change by itself");

// A mistake in a file, with its line.
{
  const path = `${PROJECT}/outreach.yaml`;
  const text = readFileSync(path, "utf8");
  writeFileSync(path, `${text}leese: 10s\n`);
  const { context, page, faults } = await open(views.light);
  await page.goto(`${place}/files`);
  // The page follows by itself, or is opened anew: files are no change in the database.
  for (let tries = 0; !(await page.getByText("did you mean").count()); tries += 1) {
    assert.ok(tries < 50, "the mistake is not shown");
    await page.waitForTimeout(200);
    await page.reload();
  }
  await page.screenshot({ path: `${shots}/mistake-light.png`, fullPage: true });
  await look(page, "a mistake");
  writeFileSync(path, text);
  assert.deepEqual(faults, []);
  await context.close();
}
console.log("a mistake in a file, with its line");

// Without script everything is there, or a link to it.
{
  const { context, page } = await open({ ...views.light, javaScriptEnabled: false });
  await page.goto(`${place}/campaigns/${first}`);
  await page.getByRole("link", { name: "What applying it would do now" }).click();
  await page.getByText("keep").first().waitFor();
  await context.close();
}
console.log("the plan without script");
await browser.close();
