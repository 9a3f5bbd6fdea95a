// The page of inkling serve: draws strokes, asks the server after every change, and shows what it answers.
//
// A drawing is a list of strokes; a stroke is a list of points [x, y] in units of the paper's width, so that it does not
// depend on the screen. What is sent is drawn anew from the strokes, black on white and always of the same size, so that
// neither colours nor screens matter to the network. One question is under way at a time: what changes meanwhile is
// asked when its answer has come.

const $ = (id) => document.getElementById(id);
const paper = $("paper");
const pen = 1 / 28;         // the width of a stroke
const sent = 420;           // pixels, the width of a drawing that is sent
const photo = 1024;         // pixels, the longer side of a picture that is sent
const mostBars = 12;        // classes in the chart; with more, the most probable
const mostMaps = 32;        // of a layer

let strokes = [];
let picture = null;         // an ImageBitmap instead of strokes
let card = null;
let reply = null;           // the latest answer
let chosen = 0;             // which of its digits is looked at
let cursor = null;          // the pen of the keyboard: {x, y, down}

// ---- The paper ----

const height = () => paper.clientHeight / paper.clientWidth; // in units of its width
const empty = () => strokes.length === 0 && picture === null;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function drawStrokes(context, width, ink) {
  context.lineWidth = pen * width;
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = context.fillStyle = ink;
  for (const stroke of strokes) {
    context.beginPath();
    if (stroke.length === 1) {
      context.arc(stroke[0][0] * width, stroke[0][1] * width, context.lineWidth / 2, 0, 7);
      context.fill();
      continue;
    }
    const points = stroke.map(([x, y]) => [x * width, y * width]);
    context.moveTo(...points[0]);
    for (let i = 1; i + 1 < points.length; i++) // curves that meet half way: a quick hand leaves few points
      context.quadraticCurveTo(...points[i], (points[i][0] + points[i + 1][0]) / 2, (points[i][1] + points[i + 1][1]) / 2);
    context.lineTo(...points[points.length - 1]);
    context.stroke();
  }
}

// Where a picture stands on a paper: as large as fits, in the middle.
function frame(width, tall) {
  const scale = Math.min(width / picture.width, tall / picture.height);
  return { scale, left: (width - scale * picture.width) / 2, top: (tall - scale * picture.height) / 2 };
}

function drawPaper() {
  const density = window.devicePixelRatio || 1;
  const width = Math.round(paper.clientWidth * density), tall = Math.round(paper.clientHeight * density);
  if (paper.width !== width || paper.height !== tall)
    Object.assign(paper, { width, height: tall });
  const context = paper.getContext("2d");
  context.clearRect(0, 0, width, tall);
  let place = { scale: width / sent, left: 0, top: 0 };
  if (picture) {
    const at = frame(width, tall);
    context.drawImage(picture, at.left, at.top, at.scale * picture.width, at.scale * picture.height);
    place = { scale: at.scale * picture.width / pictureSize().width, left: at.left, top: at.top };
  }
  drawStrokes(context, width, colour("--ink"));
  if (reply && reply.number && reply.predictions.length > 1) {
    context.lineWidth = density;
    reply.predictions.forEach(({ box: [top, left, boxHeight, boxWidth] }, i) => {
      context.strokeStyle = colour(i === chosen ? "--accent" : "--line");
      context.strokeRect(place.left + (left - 4) * place.scale, place.top + (top - 4) * place.scale,
                         (boxWidth + 8) * place.scale, (boxHeight + 8) * place.scale);
    });
  }
  if (cursor && document.activeElement === paper) {
    const x = cursor.x * width, y = cursor.y * width, arm = 9 * density;
    context.strokeStyle = colour(cursor.down ? "--accent" : "--soft");
    context.lineWidth = 2 * density;
    context.beginPath();
    for (const [dx, dy] of [[arm, 0], [0, arm]]) {
      context.moveTo(x - dx, y - dy);
      context.lineTo(x + dx, y + dy);
    }
    context.stroke();
  }
  $("hint").hidden = !empty() || cursor !== null;
}

function changed() {
  $("undo").disabled = $("clear").disabled = empty();
  drawPaper();
  ask();
}

function undo() {
  if (picture)
    picture = null;
  else
    strokes.pop();
  if (cursor)
    cursor.down = false;
  changed();
}

function clear() {
  strokes = [];
  picture = null;
  if (cursor)
    cursor.down = false;
  changed();
}

function begin(x, y) {
  picture = null;
  strokes.push([[x, y]]);
}

// ---- Mouse, pen, finger ----

let drawing = null; // the pointer that draws

function point(event) {
  const box = paper.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.width];
}

paper.addEventListener("pointerdown", (event) => {
  if (drawing !== null || event.button !== 0)
    return;
  drawing = event.pointerId;
  paper.setPointerCapture(drawing);
  cursor = null;
  begin(...point(event));
  changed();
});
paper.addEventListener("pointermove", (event) => {
  if (event.pointerId !== drawing)
    return;
  const stroke = strokes[strokes.length - 1];
  for (const part of event.getCoalescedEvents?.() ?? [event])
    stroke.push(point(part));
  changed();
});
for (const end of ["pointerup", "pointercancel"])
  paper.addEventListener(end, (event) => {
    if (event.pointerId === drawing)
      drawing = null;
  });

// ---- Keyboard ----

const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function movePen([dx, dy], far) {
  const step = (far ? 3 : 1) / 56, margin = pen / 2;
  cursor.x = Math.min(1 - margin, Math.max(margin, cursor.x + dx * step));
  cursor.y = Math.min(height() - margin, Math.max(margin, cursor.y + dy * step));
  if (cursor.down)
    strokes[strokes.length - 1].push([cursor.x, cursor.y]);
}

function setPen(down) {
  cursor.down = down;
  if (down)
    begin(cursor.x, cursor.y);
  speak(down ? "Pen down" : "Pen up");
}

paper.addEventListener("keydown", (event) => {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const undoing = key === "u" || (key === "z" && (event.ctrlKey || event.metaKey));
  if (!undoing && (event.ctrlKey || event.metaKey || event.altKey))
    return;
  cursor ??= { x: 0.5, y: height() / 2, down: false };
  if (key in arrows)
    movePen(arrows[key], event.shiftKey);
  else if (key === " " || key === "Enter")
    setPen(!cursor.down);
  else if (undoing)
    undo();
  else if (key === "c" || key === "Delete")
    clear();
  else
    return;
  event.preventDefault();
  changed();
});
paper.addEventListener("blur", drawPaper);

// ---- Pictures ----

async function open(file) {
  if (!file)
    return;
  try {
    picture = await createImageBitmap(file);
    strokes = [];
    changed();
  } catch {
    notice("This file is not a picture that the browser can read.");
  }
}

$("file").addEventListener("change", (event) => {
  open(event.target.files[0]);
  event.target.value = "";
});
document.addEventListener("paste", (event) => {
  const file = [...event.clipboardData.files].find(({ type }) => type.startsWith("image/"));
  if (file)
    open(file);
});
const sheet = document.querySelector(".paper");
for (const kind of ["dragover", "dragleave", "drop"])
  sheet.addEventListener(kind, (event) => {
    event.preventDefault();
    sheet.classList.toggle("over", kind === "dragover");
    if (kind === "drop")
      open(event.dataTransfer.files[0]);
  });

function pictureSize() {
  const scale = Math.min(1, photo / Math.max(picture.width, picture.height));
  return { width: Math.max(1, Math.round(scale * picture.width)), height: Math.max(1, Math.round(scale * picture.height)) };
}

// What is sent: black strokes on white, or the picture.
function snapshot() {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, picture ? pictureSize() : { width: sent, height: Math.round(sent * height()) });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (picture)
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  else
    drawStrokes(context, sent, "#000");
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

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
    const body = await snapshot();
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

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = text === "";
}

let speaking = 0;

// For screen readers, once the drawing has come to rest.
function speak(text, delay = 0) {
  clearTimeout(speaking);
  speaking = setTimeout(() => ($("spoken").textContent = text), delay);
}

const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const percent = (p) => (100 * p).toFixed(1) + "%";
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

// What the network saw, as it is: ink is bright on black, whatever the page's colours.
function seenCanvas(prediction) {
  const [rows, columns, depth] = card.input, pixels = bytes(prediction.pixels);
  const canvas = element("canvas", { width: columns, height: rows });
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++)
    image.data.set(depth === 3 ? [...pixels.slice(3 * i, 3 * i + 3), 255] : [pixels[i], pixels[i], pixels[i], 255], 4 * i);
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
    return element("label", { className: "digit" }, radio, seenCanvas(prediction), text);
  });
  $("digits").replaceChildren(...digits);
  if (focused)
    digits[chosen]?.querySelector("input").focus();
}

function showBars(probabilities) {
  let order = card.classes.map((name, i) => i);
  if (order.length > mostBars)
    order = order.sort((a, b) => probabilities[b] - probabilities[a]).slice(0, mostBars);
  const top = probabilities.indexOf(Math.max(...probabilities));
  const list = $("bars");
  while (list.children.length < order.length)
    list.append(element("li", {}, element("span"), element("div", { className: "track" },
                                                         element("div", { className: "bar" })),
                        element("span", { className: "share" })));
  order.forEach((c, i) => {
    const [name, track, share] = list.children[i].children;
    list.children[i].className = c === top && reply ? "best" : "";
    name.textContent = card.classes[c];
    track.firstChild.style.setProperty("--share", probabilities[c]);
    share.textContent = reply ? percent(probabilities[c]) : "";
  });
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
      showBars(card.classes.map(() => 0));
    speak(empty() ? "The paper is empty" : "No ink found", 600);
    drawPaper();
    return;
  }
  chosen = Math.min(chosen, reply.predictions.length - 1);
  const text = reply.number ?? reply.predictions[0].answer;
  $("answer").textContent = text;
  showDigits();
  showBars(reply.predictions[chosen].probabilities);
  $("layers").replaceChildren(...reply.layers.map(layerFigure));
  $("timing").textContent = `Answered in ${reply.milliseconds.toFixed(2)} ms`;
  const spelled = reply.number ? [...text].join(" ") : text;
  speak(`I read ${spelled}. Least certain: ${percent(Math.min(...reply.predictions.map(best)))}`, 600);
  drawPaper();
}

function showCard() {
  const { metadata } = card, number = (n) => n.toLocaleString("en");
  const accuracy = metadata.validation_accuracy ? percent(metadata.validation_accuracy) : "";
  const rows = {
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
  };
  $("card").replaceChildren(...Object.entries(rows).filter(([, value]) => value !== "").flatMap(
      ([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]));
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

$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", clear);
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
new ResizeObserver(drawPaper).observe(paper);
start();
