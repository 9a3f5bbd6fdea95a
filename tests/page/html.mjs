// Exported pages in a real browser, from their files: ten digits drawn and read, keys, looks; and what they give for pictures.
//
//     node html.mjs TASKS [SCREENSHOTS]
//
// TASKS is a JSON file: `reads`, the page that reads handwriting, and `pages`, each with a `page` and `pictures`; for each
// picture its probabilities are written beside it, PAGE.json. With SCREENSHOTS, a folder, pictures of the first are there.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

import { becomes, check, checkManners, digits, draw, finish, open, phone, reads, textOf } from "./browser.mjs";

const [tasks, screenshots] = [JSON.parse(readFileSync(process.argv[2])), process.argv[3]];

async function openFile(path, options) {
  const page = await open(pathToFileURL(path).href, options);
  check(await becomes(page, "#answer", "Nothing yet"), `${path} waits for a drawing`);
  return page;
}

async function testDrawing() {
  const page = await openFile(tasks.reads);
  for (const digit of Object.keys(digits)) {
    await draw(page, digit, 0.25, 0.12, 0.75);
    await reads(page, digit, "drawn");
    const shares = await page.locator("#bars .share").allTextContents();
    const sum = shares.reduce((total, share) => total + parseFloat(share), 0);
    check(shares.length === 10 && Math.abs(sum - 100) < 1, `ten bars of 100% together: ${shares}`);
    check(await textOf(page, "#bars .best span:first-child") === digit, "the bar of the answer stands out");
    await page.click("#clear");
    check(await becomes(page, "#answer", "Nothing yet"), "Clear empties the answer");
  }
  await draw(page, "7", 0.25, 0.12, 0.75);
  await page.locator("#spoken", { hasText: "I read 7" }).waitFor({ state: "attached" });
  const seen = await page.locator("#seen canvas").evaluate((canvas) => [canvas.width, canvas.height]);
  check(`${seen}` === "28,28", `what is seen is 28 x 28: ${seen}`);
  await page.click("#undo");
  await page.focus("#paper");
  for (const [key, times] of [["Shift+ArrowUp", 7], ["Space", 1], ["Shift+ArrowDown", 14], ["Space", 1]])
    for (let i = 0; i < times; i++)
      await page.keyboard.press(key);
  await reads(page, "1", "drawn by keys");
  await page.close();
}

async function testManners() {
  const page = await openFile(tasks.reads, phone);
  await page.locator("#paper").tap();
  await page.waitForSelector("#bars .best");
  await checkManners(page);
  await page.close();
}

// What the page gives for a picture; null where it sees nothing.
async function answerTo(page, picture) {
  await page.setInputFiles("#file", picture);
  await page.waitForFunction(() => document.querySelector("#answer").textContent !== "Nothing yet");
  const shares = await page.locator("#bars li").evaluateAll((bars) => bars.map((bar) => [
    bar.children[0].textContent, parseFloat(bar.querySelector(".bar").style.getPropertyValue("--share"))]));
  const seen = await page.locator("#bars .best").count() > 0;
  await page.click("#clear");
  check(await becomes(page, "#answer", "Nothing yet"), "Clear takes the picture away");
  return seen ? shares : null;
}

async function answerAll() {
  for (const { page: path, pictures } of tasks.pages) {
    const page = await openFile(path);
    const answers = [];
    for (const picture of pictures)
      answers.push(await answerTo(page, picture));
    writeFileSync(`${path}.json`, JSON.stringify(answers));
    await page.close();
  }
}

async function takeScreenshots() {
  const looks = {
    "html": { viewport: { width: 1000, height: 800 } },
    "html-dark": { viewport: { width: 1000, height: 800 }, colorScheme: "dark" },
    "html-phone": { viewport: { width: 390, height: 844 }, hasTouch: true, deviceScaleFactor: 2 },
  };
  for (const [name, look] of Object.entries(looks)) {
    const page = await openFile(tasks.reads, look);
    await draw(page, "5", 0.25, 0.12, 0.75);
    await reads(page, "5", `for ${name}`);
    await page.waitForTimeout(300);
    await page.screenshot({ path: `${screenshots}/${name}.png` });
    await page.close();
  }
}

await finish(async () => {
  if (tasks.reads) {
    await testDrawing();
    await testManners();
  }
  await answerAll();
  if (screenshots)
    await takeScreenshots();
});
