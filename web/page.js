// The page of inkling serve: asks the server after every change of the drawing, and shows what it answers. One question is
// under way at a time: what changes meanwhile is asked when its answer has come.
import { $, bytes, colour, drawPaper, element, empty, fillCard, notice, page, percent, seenCanvas, showBars, snapshot, speak } from "./paper.js";

const mostMaps = 32;        // of a layer

let card = null;
let reply = null;           // the latest answer
let chosen = 0;             // which of its digits is looked at

// ---- Asking ----

let asking = false, again = false;

function headers(more) {
  const token = sessionStorage.getItem("token");
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

async function fetchJSON(path, options = {}) {
  const response = await fetch(path, { ...options, headers: headers(options.headers ?? {}) });
  const body = await response.json();
  if (response.status === 401)
    $("key").showModal();
  return { status: response.status, body };
}

async function ask() {
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  do {
    again = false;
    await askOnce();
  } while (again);
  asking = false;
}

async function askOnce() {
  if (empty()) {
    show(null);
    return;
  }
  try {
    const body = await new Promise((resolve) => snapshot().toBlob(resolve, "image/png"));
    const query = `${$("mode").value}&pixels=true&layers=${chosen}`;
    const options = { method: "POST", body, headers: { "Content-Type": "image/png" } };
    let answer = await fetchJSON(`v1/predict?${query}`, options);
    if (answer.status === 400 && chosen > 0) { // a digit fewer than before
      chosen = 0;
      again = true;
      return;
    }
    notice(answer.status === 200 || answer.status === 422 ? "" : answer.body.error);
    show(answer.status === 200 && !empty() ? answer.body : null);
  } catch {
    notice("The server does not answer.");
  }
}

// ---- Showing ----

const best = ({ probabilities }) => Math.max(...probabilities);

let palette = {}; // red, green, blue of the style's colours, by their names

function channels(name) {
  if (palette[name])
    return palette[name];
  const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  probe.fillStyle = colour(name);
  probe.fillRect(0, 0, 1, 1);
  return palette[name] = probe.getImageData(0, 0, 1, 1).data;
}

// A canvas of maps side by side: values(map, y, x) gives 0 to 255, from the colour `low` to `high`.
function maps([count, rows, columns], across, [low, high], values) {
  const gap = 1, down = Math.ceil(count / across);
  const canvas = element("canvas", { width: across * (columns + gap) - gap, height: down * (rows + gap) - gap });
  const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
  for (let m = 0; m < count; m++)
    for (let y = 0; y < rows; y++)
      for (let x = 0; x < columns; x++) {
        const to = 4 * ((Math.floor(m / across) * (rows + gap) + y) * canvas.width + (m % across) * (columns + gap) + x);
        const share = values(m, y, x) / 255;
        for (let c = 0; c < 3; c++)
          image.data[to + c] = low[c] + share * (high[c] - low[c]);
        image.data[to + 3] = 255;
      }
  context.putImageData(image, 0, 0);
  return canvas;
}

function showDigits() {
  const focused = document.activeElement?.name === "digit";
  const digits = reply.predictions.map((prediction, i) => {
    const radio = element("input", { type: "radio", name: "digit", checked: i === chosen });
    radio.setAttribute("aria-label", `${prediction.answer}, ${percent(best(prediction))}`);
    radio.addEventListener("change", () => {
      chosen = i;
      drawPaper();
      ask();
    });
    const text = reply.predictions.length > 1 ? `${prediction.answer} ${percent(best(prediction))}` : "";
    return element("label", { className: "digit" }, radio, seenCanvas(card.input, bytes(prediction.pixels)), text);
  });
  $("digits").replaceChildren(...digits);
  if (focused)
    digits[chosen]?.querySelector("input").focus();
}

function layerFigure({ text, shape: [rows, columns, count], least, largest, values }) {
  const level = bytes(values), colours = [channels("--track"), channels("--ink")], flat = rows * columns === 1;
  const shown = flat ? count : Math.min(count, mostMaps);
  const scale = flat ? 3 : Math.max(1, Math.round(44 / columns));
  const fit = Math.floor($("layers").clientWidth / (((flat ? 4 : columns) + 1) * scale));
  const across = Math.max(1, Math.min(shown, fit, flat ? 32 : 16));
  const canvas = flat ? maps([count, 4, 4], across, colours, (m) => level[m])
                      : maps([shown, rows, columns], across, colours, (m, y, x) => level[(y * columns + x) * count + m]);
  canvas.style.width = `${canvas.width * scale}px`;
  canvas.setAttribute("role", "img");
  const size = flat ? `${count} values` : `${count} maps of ${rows} × ${columns}`;
  const range = `${least.toPrecision(3)} to ${largest.toPrecision(3)}`;
  canvas.setAttribute("aria-label", `${size}, from ${range}`);
  return element("figure", {}, element("figcaption", {}, text, element("span", { textContent: `  ${size}, ${range}` })),
                 canvas);
}

function show(answer) {
  reply = answer;
  $("answer").classList.toggle("nothing", reply === null);
  $("inside-hint").hidden = reply !== null;
  if (reply === null) {
    chosen = 0;
    $("answer").textContent = empty() ? "Nothing yet" : "No ink found";
    $("digits").replaceChildren(element("canvas", { width: 28, height: 28 }));
    $("layers").replaceChildren();
    $("timing").textContent = "";
    if (card)
      showBars(card.classes, null);
    speak(empty() ? "The paper is empty" : "No ink found", 600);
    drawPaper();
    return;
  }
  chosen = Math.min(chosen, reply.predictions.length - 1);
  const text = reply.number ?? reply.predictions[0].answer;
  $("answer").textContent = text;
  showDigits();
  showBars(card.classes, reply.predictions[chosen].probabilities);
  $("layers").replaceChildren(...reply.layers.map(layerFigure));
  $("timing").textContent = `Answered in ${reply.milliseconds.toFixed(2)} ms`;
  const spelled = reply.number ? [...text].join(" ") : text;
  speak(`I read ${spelled}. Least certain: ${percent(Math.min(...reply.predictions.map(best)))}`, 600);
  drawPaper();
}

function showCard() {
  const { metadata } = card, number = (n) => n.toLocaleString("en");
  const accuracy = metadata.validation_accuracy ? percent(metadata.validation_accuracy) : "";
  fillCard({
    Network: card.network,
    Parameters: number(card.parameters),
    Input: card.input.join(" × "),
    Classes: card.classes.join(", "),
    "Trained on": metadata.dataset ?? "",
    "Validation accuracy": accuracy,
    "Training options": metadata.options ?? "",
    Seed: metadata.seed ?? "",
    "SHA-256 of the file": card.sha256,
    "Served by": `inkling ${card.version}`,
  });
  const trained = metadata.dataset ? `, trained on ${metadata.dataset},` : "";
  const digits = card.classes.every((name) => name.length === 1);
  $("summary").textContent = `Draw, and see what a network of ${number(card.parameters)} parameters${trained} makes of it.`;
  $("hint").textContent = digits ? "Write a number here" : "Draw here, or open a picture";
  $("mode").value = card.input[2] === 3 ? "fit=raw" : digits ? "number=true" : "fit=digit";
}

async function start() {
  try {
    const { status, body } = await fetchJSON("v1/model");
    if (status !== 200)
      return;
    card = body;
    showCard();
    show(null);
  } catch {
    notice("The server does not answer.");
  }
}

page.changed = ask;
page.drawOver = (context, place) => {
  if (!reply?.number || reply.predictions.length < 2)
    return;
  reply.predictions.forEach(({ box: [top, left, height, width] }, i) => {
    context.strokeStyle = colour(i === chosen ? "--accent" : "--line");
    context.strokeRect(place.left + (left - 4) * place.scale, place.top + (top - 4) * place.scale,
                       (width + 8) * place.scale, (height + 8) * place.scale);
  });
};
$("mode").addEventListener("change", () => {
  chosen = 0;
  ask();
});
$("key").addEventListener("close", () => {
  sessionStorage.setItem("token", $("token").value);
  start();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  palette = {};
  show(reply);
});
start();
