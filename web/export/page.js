// An exported page: the network in it is WebAssembly, the functions of lib/infer and the preparation of pictures, and a
// list of calls, those of the exported C file. An argument is a number or a place: [room, offset in floats].
import { $, bytes, element, empty, fillCard, notice, page, percent, photo, seenCanvas, showBars, snapshot, speak } from "./paper.js";

const network = JSON.parse($("network").textContent);
const { model } = network;
const [rows, columns, channels] = model.input;
const inputs = rows * columns * channels;
let code = null;  // the exports of WebAssembly
let rooms = {};   // addresses in its memory

const floats = (room, count) => new Float32Array(code.memory.buffer, rooms[room], count); // anew: the memory may move

async function load() {
  ({ instance: { exports: code } } = await WebAssembly.instantiate(bytes(network.code)));
  const constants = bytes(network.constants);
  const sizes = { constants: constants.length, scratch: 4 * model.scratch, image: 4 * inputs, result: 4 * model.classes.length,
                  picture: 3 * photo * photo };
  for (const [room, size] of Object.entries(sizes))
    if ((rooms[room] = code.malloc(size)) === 0)
      throw new Error("out of memory");
  new Uint8Array(code.memory.buffer).set(constants, rooms.constants);
}

// The image that the network sees in a canvas, intensities from 0 to 1; null if there is nothing on it.
function prepare(canvas) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const picture = new Uint8Array(code.memory.buffer, rooms.picture, 3 * canvas.width * canvas.height);
  for (let i = 0; i < picture.length; i++)
    picture[i] = data[4 * Math.floor(i / 3) + i % 3];
  const raw = $("mode").value === "raw";
  const found = code.page_prepare(rooms.picture, canvas.height, canvas.width, raw, rows, columns, channels, rooms.image);
  return found ? floats("image", inputs) : null;
}

function predict() {
  for (const [name, ...given] of model.calls)
    code[name](...given.map((value) => Array.isArray(value) ? rooms[value[0]] + 4 * value[1] : value));
  return [...floats("result", model.classes.length)];
}

function show() {
  const start = performance.now();
  const image = empty() ? null : prepare(snapshot());
  const probabilities = image && predict();
  const time = performance.now() - start;
  $("answer").classList.toggle("nothing", !image);
  $("seen").replaceChildren(image ? seenCanvas(model.input, floats("image", inputs).map((value) => Math.round(255 * value)))
                                  : element("canvas", { width: columns, height: rows }));
  showBars(model.classes, probabilities);
  if (!image) {
    $("answer").textContent = empty() ? "Nothing yet" : "No ink found";
    $("timing").textContent = "";
    speak(empty() ? "The paper is empty" : "No ink found", 600);
    return;
  }
  const most = Math.max(...probabilities), answer = model.classes[probabilities.indexOf(most)];
  $("answer").textContent = answer;
  $("timing").textContent = `Computed here in ${time.toFixed(1)} ms`;
  speak(`I read ${answer}, ${percent(most)}`, 600);
}

function showCard() {
  const { metadata } = model, number = (n) => n.toLocaleString("en");
  fillCard({
    Network: model.network,
    Parameters: number(model.parameters),
    Input: model.input.join(" × "),
    Classes: model.classes.join(", "),
    "Trained on": metadata.dataset ?? "",
    "Validation accuracy": metadata.validation_accuracy ? percent(metadata.validation_accuracy) : "",
    "Written by": `inkling ${model.version}`,
  });
  $("summary").textContent = `Draw, and see what a network of ${number(model.parameters)} parameters makes of it.`;
}

// One answer a frame, however fast the pen is.
let waiting = false;
page.changed = () => {
  if (waiting || !code)
    return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    show();
  });
};

$("mode").value = model.metadata.fit === "raw" ? "raw" : "digit"; // as predict would
$("mode").addEventListener("change", page.changed);
showCard();
load().then(show, (error) => notice(`The network cannot be started: ${error.message}`));
