// The page of inkling serve in a real browser: ten digits drawn and read, keys, pictures, looks.
//
//     node page.mjs URL LOCKED_URL TOKEN PICTURE [SCREENSHOTS]
//
// LOCKED_URL asks for TOKEN; PICTURE is a 5; with SCREENSHOTS, a folder, pictures of the page are written there.
import { readFileSync } from "node:fs";

import { becomes, check, checkManners, digits, draw, finish, open, phone, reads, textOf } from "./browser.mjs";

const [url, lockedURL, token, picture, screenshots] = process.argv.slice(2);

async function drawNumber(page, number, size = 0.34, y = 0.08) {
  const step = 0.94 / number.length;
  for (const [i, digit] of [...number].entries())
    await draw(page, digit, 0.03 + i * step + (step - 0.6 * size) / 2, y, size);
}

async function testDigits(page) {
  for (const digit of Object.keys(digits)) {
    await draw(page, digit, 0.4, 0.06, 0.38);
    await reads(page, digit, "drawn alone");
    await page.click("#clear");
    check(await becomes(page, "#answer", "Nothing yet"), "Clear empties the answer");
  }
}

async function testNumber(page) {
  for (const number of ["407", "156", "98", "23"]) {
    await drawNumber(page, number);
    await reads(page, number, "drawn as a number");
    if (number !== "23")
      await page.click("#clear");
  }
  await page.locator("#spoken", { hasText: "I read 2 3" }).waitFor({ state: "attached" });
  check(await page.locator("#digits input").count() === 2, "a picture of what is seen for each digit");
  check(await page.locator("#layers canvas").count() === 6, "a figure for each layer");
  check(await textOf(page, "#bars .best span:first-child") === "2", "the bars are of the first digit");
  await page.locator("#digits input").nth(1).check();
  check(await becomes(page, "#bars .best span:first-child", "3"), "and of the second, when it is chosen");
  const shares = await page.locator("#bars .share").allTextContents();
  const sum = shares.reduce((total, share) => total + parseFloat(share), 0);
  check(shares.length === 10 && Math.abs(sum - 100) < 1, `ten bars of 100% together: ${shares}`);
  const seen = await page.locator("#digits canvas").first().evaluate((canvas) => [canvas.width, canvas.height]);
  check(`${seen}` === "28,28", `what is seen is 28 x 28: ${seen}`);
  await page.click("#undo");
  await reads(page, "2", "Undo takes the last stroke back");
  await page.click("#clear");
}

async function testKeys(page) {
  await page.focus("#paper");
  const press = async (key, times = 1) => {
    for (let i = 0; i < times; i++)
      await page.keyboard.press(key);
  };
  await press("ArrowUp", 10);
  await press("Space");
  check(await becomes(page, "#spoken", "Pen down"), "the pen is told");
  await press("ArrowDown", 20);
  await press("Space");
  await reads(page, "1", "drawn by keys");
  await press("u");
  check(await becomes(page, "#answer", "Nothing yet"), "U undoes");
  await press("Shift+ArrowUp", 8);
  await press("Shift+ArrowLeft", 3);
  await press("Enter");
  await press("Shift+ArrowRight", 3);
  await press("ArrowDown", 18);
  await press("Enter");
  await reads(page, "7", "drawn by keys");
  await press("c");
  check(await becomes(page, "#answer", "Nothing yet"), "C clears");
}

async function testPictures(page) {
  await page.setInputFiles("#file", picture);
  await reads(page, "5", "a picture that was opened");
  await page.selectOption("#mode", "fit=digit");
  await reads(page, "5", "read as one drawing");
  await page.selectOption("#mode", "number=true");
  await page.click("#clear");
  await page.evaluate((base64) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], "five.png", { type: "image/png" }));
    document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
  }, readFileSync(picture).toString("base64"));
  await reads(page, "5", "a picture that was pasted");
  await page.setInputFiles("#file", { name: "no.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  await page.waitForSelector("#notice:not([hidden])");
  check((await textOf(page, "#notice")).includes("not a picture"), "a file that is no picture is told");
  const answer = page.waitForResponse(/predict/);
  await page.selectOption("#mode", "fit=digit");
  await (await answer).finished();
  await page.waitForTimeout(200);
  check((await textOf(page, "#notice")).includes("not a picture"), "the answer to something else leaves it there");
  await page.click("#clear");
  check(await becomes(page, "#notice", ""), "a new drawing takes it away");
}

async function testManners() {
  const page = await open(url, phone);
  await page.waitForSelector("#card dd");
  await page.locator("#paper").tap();
  await page.waitForSelector("#digits input");
  await checkManners(page);
  await page.close();
}

async function testToken() {
  const page = await open(lockedURL);
  await page.waitForSelector("dialog[open]");
  await page.fill("#token", "this is not the token");
  await page.press("#token", "Enter");
  await page.waitForSelector("dialog[open]");
  await page.fill("#token", token);
  await page.press("#token", "Enter");
  await page.waitForSelector("#card dd");
  await draw(page, "3", 0.4, 0.06, 0.38);
  await reads(page, "3", "with a token");
  await page.close();
}

async function takeScreenshots() {
  const looks = {
    "serve": { viewport: { width: 1100, height: 800 } },
    "serve-dark": { viewport: { width: 1100, height: 800 }, colorScheme: "dark" },
    "serve-phone": { viewport: { width: 390, height: 844 }, hasTouch: true, deviceScaleFactor: 2 },
  };
  for (const [name, look] of Object.entries(looks)) {
    const page = await open(url, look);
    await page.waitForSelector("#card dd");
    await drawNumber(page, "407", 0.36, name === "serve-phone" ? 0.14 : 0.07);
    await reads(page, "407", `for ${name}`);
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${screenshots}/${name}.png` });
    await page.close();
  }
}

await finish(async () => {
  const page = await open(url);
  await page.waitForSelector("#card dd");
  await testDigits(page);
  await testNumber(page);
  await testKeys(page);
  await testPictures(page);
  await page.close();
  await testManners();
  await testToken();
  if (screenshots)
    await takeScreenshots();
});
