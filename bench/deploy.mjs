// The same for ONNX Runtime, by its package for Node, one thread:
//
//     node deploy.mjs PACKAGE MODEL H W C            the seconds of one image: a number a line, of many images each
//     node deploy.mjs PACKAGE MODEL H W C IN OUT     the probabilities of the images in IN, (H, W, C) floats
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [folder, model, ...rest] = process.argv.slice(2);
const [height, width, channels] = rest.slice(0, 3).map(Number);
const [from, to] = rest.slice(3);
const ort = createRequire(`${folder}/`)("onnxruntime-node");
const session = await ort.InferenceSession.create(model, { intraOpNumThreads: 1, interOpNumThreads: 1,
                                                           executionMode: "sequential", graphOptimizationLevel: "all" });
const size = height * width * channels, samples = 15, seconds = 0.02;

function tensor(image) { // (H, W, C) to (1, C, H, W)
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++)
    values[(i % channels) * height * width + Math.floor(i / channels)] = image[i];
  return new ort.Tensor("float32", values, [1, channels, height, width]);
}

const run = async (image) => (await session.run({ image })).probabilities.data;

if (from) {
  const bytes = readFileSync(from), images = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), all = [];
  for (let i = 0; i < images.length; i += size)
    all.push(...await run(tensor(images.subarray(i, i + size))));
  writeFileSync(to, new Uint8Array(new Float32Array(all).buffer));
} else {
  const image = tensor(Float32Array.from({ length: size }, (_, i) => (i * 7919 % 256) / 255));
  const measure = async (count) => {
    const start = performance.now();
    for (let i = 0; i < count; i++)
      await run(image);
    return (performance.now() - start) / 1000 / count;
  };
  await measure(200);
  const count = Math.floor(seconds / await measure(50)) + 1;
  for (let sample = 0; sample < samples; sample++)
    console.log(await measure(count));
}
