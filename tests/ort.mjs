// Runs models by ONNX Runtime (its WASM build, one thread): standard input is a JSON list of
// {model, input, dims, output}, the input and output being files of float32; prints the inputs' and outputs' names.
import { readFileSync, writeFileSync } from "node:fs";
import * as ort from "onnxruntime-web";

ort.env.wasm.numThreads = 1;
for (const { model, input, dims, output } of JSON.parse(readFileSync(0, "utf8"))) {
  const session = await ort.InferenceSession.create(new Uint8Array(readFileSync(model)));
  const bytes = readFileSync(input);
  const values = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const name = session.inputNames[0];
  const results = await session.run({ [name]: new ort.Tensor("float32", values, dims) });
  const result = results[session.outputNames[0]];
  writeFileSync(output, new Uint8Array(result.data.buffer, result.data.byteOffset, result.data.byteLength));
  console.log(session.inputNames.join(), session.outputNames.join(), result.dims.join("x"));
}
