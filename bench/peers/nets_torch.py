"""The three networks in PyTorch: training, the latency of one image, the test set.

    nets_torch.py FOLDER IMAGES THREADS

Inference is timed as written and as a frozen trace ("compiled"); the faster counts.
"""
import sys

import torch
from torch import nn
from torch.nn import functional as F

from peer import BATCH, load, median_time, report

torch.set_num_threads(int(sys.argv[3]))
torch.set_flush_denormal(True)
torch.manual_seed(0)


def notebook():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 50), nn.Sigmoid(), nn.Linear(50, 100), nn.Sigmoid(),
                         nn.Linear(100, 10))


def lenet():
    return nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 5), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 128), nn.ReLU(), nn.Linear(128, 10))


def convnet():
    return nn.Sequential(nn.Conv2d(1, 16, 5, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(16, 32, 3, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(32, 32, 3, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
                         nn.Linear(288, 10))


def images(split):
    x, labels = load(split)
    return torch.from_numpy(x).reshape(-1, 1, 28, 28), torch.from_numpy(labels)


def train(net, optimizer, x, labels):
    for batch, target in zip(x.split(BATCH), labels.split(BATCH)):
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(batch), target).backward()
        optimizer.step()


def time_training(net, make_optimizer, x, labels):
    net.train()
    optimizer = make_optimizer(net.parameters())
    train(net, optimizer, x[:10 * BATCH], labels[:10 * BATCH])
    return median_time(lambda: train(net, optimizer, x, labels), 1)


def compiled(net, example):
    return torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net.eval(), example)))


def time_inference(net, x, batch, rounds):
    """The faster of both modes, over all of x in batches."""
    best = {}
    for mode, run in (("eager", net.eval()), ("compiled", compiled(net, x[:batch]))):
        def work():
            for part in x.split(batch):
                run(part)
        for _ in range(2 if batch > 1 else 50):  # a trace is compiled in its first runs
            work()
        best[mode] = median_time(work, rounds)
    return min(best.values())


x, labels = images("train")
test, _ = images("t10k")
rows = {}
rows["train_notebook"] = time_training(notebook(), lambda p: torch.optim.SGD(p, 0.5), x, labels)
rows["train_lenet"] = time_training(lenet(), lambda p: torch.optim.Adam(p, 0.002), x, labels)
rows["train_convnet"] = time_training(convnet(), lambda p: torch.optim.Adam(p, 0.01), x, labels)
with torch.inference_mode():
    rows["latency_notebook"] = time_inference(notebook(), test[:1], 1, 1001)
    rows["latency_lenet"] = time_inference(lenet(), test[:1], 1, 1001)
    rows["evaluate_lenet"] = min(time_inference(lenet(), test, batch, 1) for batch in (100, 1000))
report(f"PyTorch {torch.__version__}", rows)
