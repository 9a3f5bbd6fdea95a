"""Networks that were trained elsewhere: files of PyTorch's and Keras's exporters, and single operators of ONNX's own
tests, give with us what they give there; what is not supported is named."""
import glob
import pathlib
import subprocess
import sys
import warnings

import numpy as np

from helper import Compiled, check, check_run, finish, folder, read, run, write

TESTS = pathlib.Path(__file__).resolve().parent
MOST = 2e-6  # difference of a probability
CASES = pathlib.Path("/usr/share/libonnx-testdata/data")  # of Debian's libonnx-testdata

# What each of the committed files is as a line of text.
LINES = {
    "torch_mlp": "28x28x1, dense 16 tanh, dense 12 sigmoid, dense 10;",
    "torch_lenet": "28x28x1, conv 6 5x5 pad 2 relu, pool 2, conv 8 5x5 relu, pool 2, dense 24 relu, dense 10;",
    "torch_norm": "12x12x1, conv 6 3x3 relu, norm, avgpool 2, conv 8 2x2 leaky 0.2, norm, dense 16 relu, norm, dense 7;",
    "torch_global": "9x11x3, conv 6 3x2 stride 2 gelu, conv 4 1x1, globalpool;",
    "torch_residual": "16x14x3, conv 8 3x5 stride 2 pad 1 gelu, res [ res [ conv 8 3x3 pad 1 sigmoid, norm, conv 8 3x3 "
                      "pad 1 ], relu, res [ conv 8 3x3 pad 1 sigmoid, norm, conv 8 3x3 pad 1 ], relu ], "
                      "conv 8 5x5 pad 2 leaky 0.15, globalavg, dense 5;",
    "keras_grey": "28x28x1, conv 6 4x4 stride 2 pad 1 relu, norm, pool 2, dense 20 sigmoid, dense 4;",
    "keras_colour": "28x28x3, conv 6 4x4 stride 2 pad 1 relu, norm, pool 2, dense 20 sigmoid, dense 4;",
}

OPERATORS = set("""Add AveragePool BatchNormalization Cast Constant Conv Div Dropout Elu Flatten Gelu Gemm GlobalAveragePool
    GlobalMaxPool Identity LeakyRelu LogSoftmax MatMul MaxPool Mul Pad ReduceMax ReduceMean Relu Reshape Sigmoid Softmax
    Squeeze Sub Tanh Transpose Unsqueeze""".split())

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    onnx = None


def largest_difference(model, work, images, probabilities):
    return np.abs(Compiled(model, work)(images) - probabilities).max()


def test_exporters(place, work):
    """The files of tests/onnx/make.py in `place`."""
    for name, line in LINES.items():
        model = f"{work}/{name}.safetensors"
        check_run(run("import", f"{place}/{name}.onnx", "-o", model), 0, f"saved {model} ({line}")
        known = np.load(f"{place}/{name}.npz")
        largest = largest_difference(model, work, known["images"], known["probabilities"])
        check(largest <= MOST, f"{place}/{name}: differs by {largest:g}")
        check(np.ptp(known["probabilities"], axis=0).max() > 1e-3, f"{name}: probabilities that say something")


def test_live(work):
    """The same, made here and now."""
    try:
        import torch
    except ImportError:
        print("no python3-torch: only the committed files were imported")
        return
    with folder() as place, warnings.catch_warnings():
        done = subprocess.run([sys.executable, TESTS / "onnx/make.py", place], capture_output=True, text=True)
        check(done.returncode == 0, f"make.py with torch {torch.__version__}: {done.stderr[-1000:]}")
        if done.returncode == 0:
            test_exporters(place, work)


# ---- Graphs made here --------------------------------------------------------------------------------------------------

def graph(path, nodes, constants, shape=("n", 1, 4, 4), output="y", opset=13, output_shape=("n", None), **more):
    """Saves a model of nodes (op, inputs, output, attributes)."""
    made = [helper.make_node(op, inputs, [out], f"{op}_{out}", **attributes) for op, inputs, out, attributes in nodes]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    made = helper.make_graph(made, "test", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                             [helper.make_tensor_value_info(output, TensorProto.FLOAT, output_shape)], tensors)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], **more)
    onnx.save(model, path)
    return path


def floats(*shape, seed=0):
    return np.random.RandomState(seed).uniform(-1, 1, shape).astype(np.float32)


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def load(case, data_set=0):
    """A case's model, its inputs and its first output."""
    def tensor(path):
        made = TensorProto()
        made.ParseFromString(read(path))
        return numpy_helper.to_array(made)
    place = f"{case}/test_data_set_{data_set}"
    model = onnx.load(f"{case}/model.onnx")
    count = len(glob.glob(f"{place}/input_*.pb"))
    return model, [tensor(f"{place}/input_{i}.pb") for i in range(count)], tensor(f"{place}/output_0.pb")


def wrap(model, inputs, output, path):
    """The operator as a classifier: what it reads besides the image becomes constants, and behind it comes a dense layer.
    Returns that layer's weights."""
    graph = model.graph
    known = {tensor.name for tensor in graph.initializer}
    read_ones = [value for value in graph.input if value.name not in known]
    for value, array in zip(read_ones[1:], inputs[1:]):
        graph.initializer.append(numpy_helper.from_array(array, value.name))
        graph.input.remove(value)
    last = graph.output[0].name
    del graph.output[:]
    weights = floats(output[0].size, 3, seed=5) / np.float32(output[0].size ** 0.5)
    if output.ndim > 2:
        graph.node.append(helper.make_node("Flatten", [last], ["wrap_flat"], "wrap_flatten"))
        last = "wrap_flat"
    graph.node.append(helper.make_node("MatMul", [last, "wrap_w"], ["wrap_y"], "wrap_dense"))
    graph.initializer.append(numpy_helper.from_array(weights, "wrap_w"))
    graph.output.append(helper.make_tensor_value_info("wrap_y", TensorProto.FLOAT, [len(output), 3]))
    onnx.save(model, path)
    return weights


def to_images(x):
    """(N, C, H, W), (N, H, W) or (N, features) as (N, H, W, C)."""
    return x.transpose(0, 2, 3, 1) if x.ndim == 4 else x[..., None]


def test_operators(work):
    """Every case of ONNX's own that has one operator of ours: it is imported and gives what the case says, or it is
    refused by name. Those of the list are imported."""
    if onnx is None or not CASES.exists():
        print("no python3-onnx or no libonnx-testdata: no operator cases")
        return
    imported, refused = [], []
    path, model_path = f"{work}/case.onnx", f"{work}/case.safetensors"
    for case in sorted(glob.glob(f"{CASES}/node/*") + glob.glob(f"{CASES}/pytorch-*/*")):
        name = case[len(str(CASES)) + 1:]
        try:
            model, inputs, output = load(case)
        except (FileNotFoundError, TypeError, ValueError, AttributeError):
            continue  # sequences, texts and the like
        if not {node.op_type for node in model.graph.node} <= OPERATORS:
            continue
        whole = [array for array in inputs + [output] if array.ndim > 0]
        if (not inputs or inputs[0].dtype != np.float32 or output.dtype != np.float32 or not 2 <= inputs[0].ndim <= 4 or
                output.ndim < 2 or len(output) != len(inputs[0]) or any(array.size == 0 for array in whole)):
            continue
        weights = wrap(model, inputs, output, path)
        shape = ["--input", f"1x{inputs[0].shape[1]}x1"] if inputs[0].ndim == 2 else []
        done = run("import", path, "-o", model_path, *shape)
        if done.code != 0:
            refused.append(name)
            check(done.code == 3 and "case.onnx: " in done.err and ("node '" in done.err or "input '" in done.err or
                                                                    "constant '" in done.err), f"{name}: {done.err}")
            continue
        imported.append(name)
        expected = softmax(output.reshape(len(output), -1).astype(float) @ weights)
        largest = largest_difference(model_path, work, to_images(inputs[0]), expected)
        check(largest <= MOST, f"{name}: differs by {largest:g}; {done.out}")
    print(f"ONNX's own cases: {len(imported)} imported, {len(refused)} refused by name")
    wanted = """
        node/test_averagepool_2d_default node/test_averagepool_2d_strides node/test_averagepool_2d_precomputed_strides
        node/test_basic_conv_with_padding node/test_basic_conv_without_padding node/test_conv_with_autopad_same
        node/test_conv_with_strides_and_asymmetric_padding node/test_conv_with_strides_no_padding
        node/test_conv_with_strides_padding node/test_batchnorm_epsilon node/test_batchnorm_example
        node/test_dropout_default node/test_flatten_axis1 node/test_flatten_negative_axis3 node/test_gemm_alpha node/test_gemm_beta node/test_gemm_default_no_bias node/test_gemm_default_scalar_bias
        node/test_gemm_default_vector_bias node/test_gemm_transposeB node/test_globalaveragepool node/test_globalmaxpool
        node/test_leakyrelu node/test_leakyrelu_default node/test_matmul_2d node/test_maxpool_2d_default
        node/test_maxpool_2d_precomputed_strides node/test_maxpool_2d_strides node/test_relu node/test_sigmoid
        node/test_tanh node/test_transpose_all_permutations_1 node/test_unsqueeze_axis_1
        pytorch-converted/test_AvgPool2d pytorch-converted/test_AvgPool2d_stride pytorch-converted/test_BatchNorm2d_eval
        pytorch-converted/test_Conv2d pytorch-converted/test_Conv2d_dilated pytorch-converted/test_Conv2d_no_bias
        pytorch-converted/test_Conv2d_padding pytorch-converted/test_Conv2d_strided pytorch-converted/test_Linear
        pytorch-converted/test_Linear_no_bias pytorch-converted/test_ReLU
        pytorch-converted/test_Sigmoid pytorch-converted/test_Tanh pytorch-operator/test_operator_flatten pytorch-operator/test_operator_mm
    """.split()
    missing = sorted(set(wanted) - set(imported))
    check(not missing, f"imported before, refused now: {missing}")


def test_graphs(work):
    """Forms that no exporter of the above happened to write."""
    if onnx is None:
        print("no python3-onnx: no graphs made here")
        return
    path, model = f"{work}/graph.onnx", f"{work}/graph.safetensors"
    images = np.abs(floats(5, 4, 4, 1, seed=3))
    x = images.reshape(5, 16)
    w, b = floats(16, 3), floats(3, seed=1)
    dense = [("Flatten", ["x"], "f", {}), ("MatMul", ["f", "w"], "m", {}), ("Add", ["b", "m"], "y", {})]
    given = {"w": w, "b": b}

    def same(nodes, constants, expected, line, *options, show=images, **more):
        done = run("import", graph(path, nodes, constants, **more), "-o", model, *options)
        check_run(done, 0, f"({line};")
        if done.code == 0:
            largest = largest_difference(model, work, show, softmax(expected))
            check(largest <= MOST, f"{line}: differs by {largest:g}")

    def refused(nodes, constants, *words, options=(), **more):
        check_run(run("import", graph(path, nodes, constants, **more), "-o", f"{work}/none.safetensors", *options), 3, *words)

    same(dense, given, x @ w + b, "4x4x1, dense 3")
    same(dense, given, x @ w + b, "4x4x1, dense 3", shape=("n", 4, 4))
    flat = [("MatMul", ["x", "w"], "m", {}), dense[2]]
    same(flat, given, x @ w + b, "4x4x1, dense 3", shape=("n", 16), show=images)
    same(flat, given | {"w": w[:12]}, x[:, :12] @ w[:12] + b, "3x4x1, dense 3", "--input", "3x4x1",
         shape=("n", 12), show=x[:, :12])
    same(dense, given, x @ w + b, "4x4x1, dense 3", "--input", "4x4x1", shape=("n", "c", "h", "w"))
    same(dense, given, (x - 0.2) / 0.5 @ w + b, "4x4x1, dense 3", "--mean", "0.2", "--deviation", "0.5")
    scaled = [("Mul", ["x", "k"], "s", {}), ("Sub", ["s", "k"], "t", {}), ("Div", ["t", "d"], "u", {}),
              ("Add", ["k", "u"], "v", {})]
    same(scaled + [("Flatten", ["v"], "f", {})] + dense[1:], given | {"k": np.float32(0.3), "d": np.full((1, 1, 1), 0.4, np.float32)},
         ((x - 0.2) / 0.5 * 0.3 - 0.3) / 0.4 @ w + 0.3 * w.sum(0) + b, "4x4x1, dense 3", "--mean", "0.2", "--deviation", "0.5")
    # Pictures of any order, whose rows of weights follow it.
    colour = np.abs(floats(5, 2, 4, 2, seed=4))
    for order, perm in (("CHW", (0, 3, 1, 2)), ("HWC", (0, 1, 2, 3)), ("WHC", (0, 2, 1, 3)), ("CWH", (0, 3, 2, 1))):
        back = [0] + [1 + "CHW".index(letter) for letter in order]
        same([("Transpose", ["x"], "t", {"perm": back}), ("Flatten", ["t"], "f", {})] + dense[1:], given,
             colour.transpose(perm).reshape(5, 16) @ w + b, "2x4x2, dense 3", shape=("n", 2, 2, 4), show=colour)
    same([("Reshape", ["x", "s"], "t", {}), ("Flatten", ["t"], "f", {})] + dense[1:], given | {"s": np.array([0, 2, -1, 4])},
         colour.transpose(0, 3, 1, 2).reshape(5, 16) @ w + b, "2x4x2, dense 3", shape=("n", 16), show=colour)
    # x.view(len(x), -1), as it is written by old and new exporters.
    for last in ([-1], [16]):
        same([("Shape", ["x"], "s", {}), ("Gather", ["s", "zero"], "g", {"axis": 0}), ("Unsqueeze", ["g", "axis"], "u", {}),
              ("Concat", ["u", "last"], "c", {"axis": 0}), ("Reshape", ["x", "c"], "f", {})] + dense[1:],
             given | {"zero": np.array(0), "axis": np.array([0]), "last": np.array(last)}, x @ w + b, "4x4x1, dense 3")
        same([("Shape", ["x"], "s", {}), ("Slice", ["s", "zero", "one"], "g", {}), ("Cast", ["g"], "u", {"to": 7}),
              ("Concat", ["u", "last"], "c", {"axis": 0}), ("Reshape", ["x", "c"], "f", {})] + dense[1:],
             given | {"zero": np.array([0]), "one": np.array([1]), "last": np.array(last)}, x @ w + b, "4x4x1, dense 3")
    # A bias before a norm goes into its mean; other epsilons, even 0.
    norm = {"scale": floats(3, seed=6), "shift": floats(3, seed=7), "mean": floats(3, seed=8), "var": np.abs(floats(3, seed=9))}
    for epsilon in (1e-5, 1e-3, 0.0):
        y = (x @ w + b - norm["mean"]) / np.sqrt(norm["var"] + np.float32(epsilon)) * norm["scale"] + norm["shift"]
        same(dense[:2] + [("Add", ["m", "b"], "a", {}), ("BatchNormalization", ["a", *norm], "y", {"epsilon": epsilon})],
             given | norm, y, "4x4x1, dense 3, norm")
    # Activations that are written out, and what only looks like one.
    sigmoid = [("Neg", ["y0"], "n", {}), ("Exp", ["n"], "e", {}), ("Add", ["one", "e"], "a", {}), ("Div", ["one", "a"], "y", {})]
    first = dense[:2] + [("Add", ["m", "b"], "y0", {})]
    one = {"one": np.float32(1), "half": np.float32(0.5), "zero": np.float32(0), "root": np.float32(2 ** 0.5)}
    same(first + sigmoid, given | one, 1 / (1 + np.exp(-(x @ w + b))), "4x4x1, dense 3 sigmoid")
    same(first + [("Max", ["y0", "zero"], "y", {})], given | one, np.maximum(x @ w + b, 0), "4x4x1, dense 3 relu")
    erf = [("Div", ["y0", "root"], "d", {}), ("Erf", ["d"], "e", {}), ("Add", ["e", "one"], "a", {}), ("Mul", ["y0", "a"], "p", {}),
           ("Mul", ["p", "half"], "y", {})]
    refused(first + erf, given | one, "node 'Div_d' (Div): begins the exact gelu", "approximate='tanh'")
    refused(first + [("Max", ["y0", "half"], "y", {})], given | one, "node 'Max_y' (Max): this operator is not supported")

    # What is refused, and by what name.
    for op, attributes in (("Elu", {}), ("HardSigmoid", {}), ("Softplus", {}), ("LRN", {"size": 3}), ("Foo", {})):
        refused([(op, ["x"], "e", attributes)] + dense, given, f"node '{op}_e' ({op}): this operator is not supported")
    conv = {"k": floats(2, 1, 3, 3)}
    flat = [("Flatten", ["c"], "f", {}), ("MatMul", ["f", "w8"], "y", {})]
    eight = {"w8": floats(8, 3)}
    same([("Conv", ["x", "k"], "c", {})] + flat, conv | eight, np.stack([
        np.stack([(images[:, i:i + 3, j:j + 3, 0, None] * conv["k"][:, 0].transpose(1, 2, 0)).sum((1, 2)) for i in (0, 1)
                  for j in (0, 1)], axis=2)]).reshape(5, 8) @ eight["w8"], "4x4x1, conv 2 3x3, dense 3")
    for attributes, words in (({"group": 2}, "group is 2"), ({"strides": [1, 2], "pads": [1, 1, 1, 1]}, "strides of 1 and 2"),
                              ({"dilations": [0, 1]}, "dilations"), ({"pads": [1, 1, 1]}, "pads"), ({"pads": [-1, 0, 0, 0]}, "pads"),
                              ({"kernel_shape": [3, 2]}, "kernel_shape is not"), ({"dilations": [60, 60]}, "need a window"),
                              ({"pads": [70, 0, 0, 70]}, "padding of 70"), ({"dilations": [2, 2]}, "does not fit into 4 x 4")):
        refused([("Conv", ["x", "k"], "c", attributes)] + flat, conv | eight, "node 'Conv_c' (Conv):", words)
    refused([("Conv", ["x", "k"], "c", {})] + flat, {"k": floats(2, 3, 3, 3)} | eight, "(filters, 1, K, K)")
    refused([("MaxPool", ["x"], "c", {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1]})] + flat, eight, "a padding of 1")
    refused([("MaxPool", ["x"], "c", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1})] + flat, eight, "ceil_mode")
    refused([("Flatten", ["x"], "f", {"axis": 2})] + dense[1:], given, "node 'Flatten_f' (Flatten): axis is 2, expected 1")
    refused([("Transpose", ["x"], "f", {"perm": [1, 0, 2, 3]})] + dense[1:], given, "leaves the batch")
    refused([("Reshape", ["x", "s"], "f", {})] + dense[1:], given | {"s": np.array([-1, 8])}, "Nx1x4x4 as Nx8")
    refused([("Reshape", ["x", "s"], "f", {})] + dense[1:], given | {"s": np.array([4, 4])}, "the batch and 1 to 3")
    refused(dense[1:], given | {"w": w[:12]}, "input 'x' is Nx12", shape=("n", 12))
    refused(dense, given, "input 'x'", shape=("n", 7, 4, 7))
    refused(dense, given, "no rank from 2 to 4", shape=("n", 4, 4, 1, 1))
    refused(dense, given, "not the one that was named", options=["--input", "4x4x2"])
    refused(dense + [("Softmax", ["y"], "z", {}), ("Relu", ["z"], "o", {})], given, "node 'Relu_o' (Relu): follows a Softmax", output="o")
    refused(dense + [("Softmax", ["y"], "z", {"axis": 0})], given, "axis is 0", output="z")
    refused(dense, given, "output 'else'", output="else")
    refused([("Identity", ["x"], "y", {})], {}, "output 'y' is not made of the input by layers")
    refused(dense[:2] + [("Relu", ["m"], "r", {}), ("MatMul", ["f", "w"], "y", {})], given, "node 'MatMul_y' (MatMul): reads 'f'")
    refused(dense[:2] + [("Add", ["m", "m"], "y", {})], given, "node 'Add_y' (Add)")
    refused(dense[:2] + [("Add", ["m", "f"], "y", {})], given, "adds 'f', which has another shape")
    squares = {f"w{i}": floats(16, 16, seed=i) for i in range(3)}
    row = [("Flatten", ["x"], "i", {}), ("MatMul", ["i", "w2"], "f", {}), ("MatMul", ["f", "w0"], "p", {}),
           ("MatMul", ["p", "w1"], "q", {}), ("Add", ["q", "f"], "r", {}), ("MatMul", ["r", "w2"], "s", {})]
    refused(row + [("Add", ["s", "p"], "t", {}), ("MatMul", ["t", "w"], "y", {})], given | squares, "node 'Add_t' (Add): adds 'p'")
    refused(row + [("Add", ["s", "q"], "t", {}), ("MatMul", ["t", "w"], "y", {})], given | squares, "node 'Add_t' (Add): adds 'q'")
    w0, w1, w2 = squares.values()
    f = x @ w2
    same(row + [("Add", ["f", "s"], "t", {}), ("MatMul", ["t", "w"], "y", {})], given | squares,
         ((f @ w0 @ w1 + f) @ w2 + f) @ w, "4x4x1, dense 16, res [ res [ dense 16, dense 16 ], dense 16 ], dense 3")
    r = f @ w0 @ w1 + f
    same(row + [("Add", ["r", "s"], "t", {}), ("MatMul", ["t", "w"], "y", {})], given | squares, (r @ w2 + r) @ w,
         "4x4x1, dense 16, res [ dense 16, dense 16 ], res [ dense 16 ], dense 3")
    refused(dense[:2] + [("Gemm", ["m", "w"], "y", {"transA": 1})], given, "transA")
    refused(dense, given | {"w": w[:, 0]}, "node 'MatMul_m' (MatMul): weights: rank 1")
    refused(dense, given | {"w": w.astype(np.float16)}, "constant 'w': found elements of type 10")
    refused(dense, given | {"w": w.astype(np.int64)}, "input 'w' is of type 7")
    refused(dense, given | {"w": np.where(w > 0.9, np.float32("nan"), w)}, "'0.weight': element", "expected a finite number")
    refused(dense[:2] + [("BatchNormalization", ["m", *norm], "y", {})], given | norm | {"var": -norm["var"]}, "variance from 0")
    # The message of a node without a name names what it makes; and what no terminal should see is not printed.
    made = onnx.load(graph(path, dense[:2] + [("Elu", ["m"], "y", {})], given))
    made.graph.node[2].name = ""
    made.graph.node[2].op_type = "E\x1b[31m"
    onnx.save(made, path)
    done = run("import", path, "-o", f"{work}/none.safetensors")
    check(done.code == 3 and "node 'y' (E" in done.err and "\x1b" not in done.err, done.err)


def test_usage(work):
    model, out = TESTS / "onnx/torch_mlp.onnx", f"{work}/used.safetensors"
    for options, words in ((["--input", "28x28"], "--input: found '28x28'"), (["--input", "28x28x1x1"], "--input"),
                           (["--input", "0x28x1"], "--input"), (["--mean", "1,2,3,4,5"], "--mean"), (["--mean", ""], "--mean"),
                           (["--deviation", "x"], "--deviation: found 'x'"), (["--mean", "nan"], "--mean"),
                           (["--deviation", "-1"], "deviation -1"), (["--input", "28x28x9"], "input 28x28x9")):
        check_run(run("import", model, "-o", out, *options), 2, words)
    check_run(run("import", model), 2, "--output")
    check_run(run("import", f"{work}/none.onnx", "-o", out), 1, "none.onnx")
    for name, content, words in (("empty.onnx", b"", "no graph"), ("text.onnx", b"hello world", "no protobuf message"),
                                 ("cut.onnx", read(model)[:-9000], "cut short or malformed")):
        check_run(run("import", write(f"{work}/{name}", content), "-o", out), 3, name, words)
    check_run(run("import", model, "-o", f"{work}/none/out.safetensors"), 1, "none/out.safetensors")


with folder() as work:
    test_exporters(TESTS / "onnx", work)
    test_live(work)
    test_graphs(work)
    test_usage(work)
    test_operators(work)
finish()
