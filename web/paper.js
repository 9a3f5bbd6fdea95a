// Paper to draw on, by mouse, pen, finger or keys, or to lay a picture on, and what shows an answer: what the page of inkling
// serve and an exported page have in common. A page has the elements that are named here, and says in `page` what to do.
//
// A drawing is a list of strokes; a stroke is a list of points [x, y] in units of the paper's width, so that it does not
// depend on the screen. What is read is drawn anew from the strokes, black on white and always of the same size, so that
// neither colours nor screens matter to the network.

export const $ = (id) => document.getElementById(id);
export const page = {
  changed() {},               // the drawing has
  drawOver(context, place) {} // draws over it; `place` says where what is read lies: scale, left, top
};
export const photo = 1024;    // pixels, the longer side of a picture that is read
const paper = $("paper");
const pen = 1 / 28;           // the width of a stroke
const sent = 420;             // pixels, the width of a drawing that is read
const mostBars = 12;          // classes in the chart; with more, the most probable

let strokes = [];
let picture = null;           // an ImageBitmap instead of strokes
let unreadable = "";          // what is wrong with the file that was to be opened, until the drawing changes
let told = "";                // what the page has told since
let cursor = null;            // the pen of the keyboard: {x, y, down}

// ---- The paper ----

const height = () => paper.clientHeight / paper.clientWidth; // in units of its width
export const empty = () => strokes.length === 0 && picture === null;
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

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

export function drawPaper() {
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
  context.lineWidth = density;
  page.drawOver(context, place);
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
  unreadable = "";
  showNotice();
  $("undo").disabled = $("clear").disabled = empty();
  drawPaper();
  page.changed();
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
    unreadable = "This file is not a picture that the browser can read.";
    showNotice();
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

// What a network is to read, as a canvas: black strokes on white, or the picture.
export function snapshot() {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, picture ? pictureSize() : { width: sent, height: Math.round(sent * height()) });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (picture)
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  else
    drawStrokes(context, sent, "#000");
  return canvas;
}

// ---- Showing ----

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// An answer that is still on its way when a file cannot be read must not wipe away that it cannot.
function showNotice() {
  $("notice").textContent = unreadable || told;
  $("notice").hidden = !(unreadable || told);
}

export function notice(text) {
  told = text;
  showNotice();
}

let speaking = 0;

// For screen readers, once the drawing has come to rest.
export function speak(text, delay = 0) {
  clearTimeout(speaking);
  speaking = setTimeout(() => ($("spoken").textContent = text), delay);
}

export const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
export const percent = (p) => (100 * p).toFixed(1) + "%";

// What the network saw, as it is: ink is bright on black, whatever the page's colours.
export function seenCanvas([rows, columns, depth], pixels) {
  const canvas = element("canvas", { width: columns, height: rows });
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++)
    image.data.set(depth === 3 ? [...pixels.slice(3 * i, 3 * i + 3), 255] : [pixels[i], pixels[i], pixels[i], 255], 4 * i);
  context.putImageData(image, 0, 0);
  return canvas;
}

// A bar for each of the classes, by their names; without probabilities, empty.
export function showBars(classes, probabilities) {
  const shares = probabilities ?? classes.map(() => 0);
  let order = classes.map((name, i) => i);
  if (order.length > mostBars)
    order = order.sort((a, b) => shares[b] - shares[a]).slice(0, mostBars);
  const top = shares.indexOf(Math.max(...shares));
  const list = $("bars");
  while (list.children.length < order.length)
    list.append(element("li", {}, element("span"), element("div", { className: "track" },
                                                         element("div", { className: "bar" })),
                        element("span", { className: "share" })));
  order.forEach((c, i) => {
    const [name, track, share] = list.children[i].children;
    list.children[i].className = c === top && probabilities ? "best" : "";
    name.textContent = classes[c];
    track.firstChild.style.setProperty("--share", shares[c]);
    share.textContent = probabilities ? percent(shares[c]) : "";
  });
}

$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", clear);
new ResizeObserver(drawPaper).observe(paper);

// The model's card, a list of names and texts, but for empty texts.
export function fillCard(lines) {
  $("card").replaceChildren(...Object.entries(lines).filter(([, text]) => text !== "").flatMap(
      ([name, text]) => [element("dt", { textContent: name }), element("dd", { textContent: text })]));
}
