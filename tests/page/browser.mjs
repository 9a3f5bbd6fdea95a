// What the tests of pages share: a browser, counted checks, and a hand that draws.
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

export const digits = JSON.parse(readFileSync(new URL("digits.json", import.meta.url)));
let passed = 0, failed = 0;

export function check(condition, what) {
  if (condition) {
    passed++;
  } else {
    failed++;
    console.log("FAILED:", what);
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});

// A new page at `address`, which asks nobody else and complains of nothing.
export async function open(address, options = {}) {
  const page = await browser.newPage({ viewport: { width: 1100, height: 900 }, ...options });
  page.on("pageerror", (error) => check(false, `the page's own error: ${error.message}`));
  page.on("console", (message) => check(message.type() !== "error" || message.text().includes("status of 4"),
                                        `console: ${message.text()}`));
  page.on("request", (request) => check(/^(blob|data):/.test(request.url()) || request.url().startsWith(address),
                                        `a request to elsewhere: ${request.url()}`));
  await page.goto(address);
  return page;
}

// Waits for the text of an element; false if it does not become so.
export async function becomes(page, selector, text) {
  for (let tries = 0; tries < 600; tries++) {
    if ((await textOf(page, selector)).trim() === text)
      return true;
    await page.waitForTimeout(25);
  }
  return false;
}

export const textOf = (page, selector) => page.locator(selector).textContent();

// Draws a digit whose box is `size` high, at (x, y), all in units of the paper's width.
export async function draw(page, digit, x, y, size) {
  const box = await page.locator("#paper").boundingBox();
  const at = ([u, v]) => [box.x + (x + size * u) * box.width, box.y + (y + size * v) * box.width];
  for (const [first, ...others] of digits[digit]) {
    await page.mouse.move(...at(first));
    await page.mouse.down();
    for (const point of others)
      await page.mouse.move(...at(point));
    await page.mouse.up();
  }
}

export async function reads(page, number, how) {
  const right = await becomes(page, "#answer", number);
  check(right, `${how}: ${number} is read as ${await textOf(page, "#answer")}`);
  return right;
}

// Names for screen readers, room on a phone, no motion for those who do not want it: of a page that was opened as `phone`.
export const phone = { viewport: { width: 320, height: 640 }, hasTouch: true, reducedMotion: "reduce" };

export async function checkManners(page) {
  const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, select, canvas[tabindex]")]
    .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.[0]?.textContent.trim()))
    .map((e) => e.outerHTML));
  check(nameless.length === 0, `every control has a name: ${nameless}`);
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  check(wide <= room, `nothing is wider than a phone: ${wide} of ${room}`);
  const small = await page.evaluate(() => [...document.querySelectorAll("button, .button, select")]
    .filter((e) => e.getClientRects().length > 0 && e.getBoundingClientRect().height < 44).map((e) => e.id));
  check(small.length === 0, `what is touched is large enough: ${small}`);
  const motion = await page.locator("#bars .bar").first().evaluate((bar) => getComputedStyle(bar).transitionProperty);
  check(motion === "none", `no motion where it is unwanted: ${motion}`);
  check(await page.evaluate(() => document.querySelector("[role=status]").ariaLive) === "polite", "the answer is announced");
}

// Runs the tests, and ends the program.
export async function finish(tests) {
  try {
    await tests();
  } catch (error) {
    check(false, error.stack);
  }
  await browser.close();
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
}
