#!/usr/bin/env python3
"""Prints what PyTorch makes of small networks, and of weights under its optimizers, for tests/test_golden.c.

    /usr/bin/python3 make_golden.py layers > layers.txt
    /usr/bin/python3 make_golden.py optimizers > optimizers.txt

Images, weights and gradients are made by formula, which the test repeats, and calculated with in double precision.
Tensors are printed as inkling has them: pictures (H, W, C), dense weights (in, out), convolutions (K, K, C, N).
Dropout is not here: its random numbers are nobody else's.
"""
import sys

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


class Made:
    """Numbers in [0, 1), multiples of 2^-16, so that a float holds them."""

    def __init__(self):
        self.state = 1

    def tensor(self, *shape):
        values = []
        for _ in range(torch.Size(shape).numel()):
            self.state = (self.state * 1664525 + 1013904223) % 2**32
            values.append((self.state >> 16) / 65536)
        return torch.tensor(values).reshape(shape)


class Net:
    """A network at work on one batch; layers are given their index in the line, for the names of parameters."""

    def __init__(self, made, training):
        self.made, self.training = made, training
        self.parameters, self.running = {}, {}

    def parameter(self, name, values):
        return self.parameters.setdefault(name, values.requires_grad_(True))

    def weights(self, index, shape, bias):
        weight = self.parameter(f'{index}.weight', self.made.tensor(*shape) - 0.5)
        return weight, self.parameter(f'{index}.bias', self.made.tensor(shape[-1]) - 0.5) if bias else None

    def dense(self, index, x, out, bias=True):
        x = x.permute(0, 2, 3, 1).flatten(1) if x.dim() == 4 else x
        weight, b = self.weights(index, (x.shape[1], out), bias)
        return F.linear(x, weight.t(), b)

    def conv(self, index, x, filters, kernel, bias=True, **options):
        weight, b = self.weights(index, (*kernel, x.shape[1], filters), bias)
        return F.conv2d(x, weight.permute(3, 2, 0, 1), b, **options)

    def norm(self, index, x):
        channels = x.shape[1]
        scale = self.parameter(f'{index}.scale', self.made.tensor(channels) + 0.5)
        shift = self.parameter(f'{index}.shift', self.made.tensor(channels) - 0.5)
        mean = self.running[f'{index}.mean'] = self.made.tensor(channels) - 0.5
        variance = self.running[f'{index}.variance'] = self.made.tensor(channels) + 0.5
        return F.batch_norm(x, mean, variance, scale, shift, self.training, 0.1, 1e-5)


def gelu(x):
    return F.gelu(x, approximate='tanh')


def activations(n, x):
    x = torch.tanh(n.dense(1, torch.sigmoid(x), 6))
    x = F.leaky_relu(n.dense(4, gelu(F.relu(n.dense(2, x, 6))), 5), 0.2)
    return n.dense(6, F.leaky_relu(n.dense(5, x, 4), 0.01), 3)


def residual(n, x):
    x = n.conv(0, x, 4, (3, 3), padding=1)
    inner = n.conv(3, F.relu(n.conv(2, x, 4, (3, 3), padding=1)), 4, (3, 3), padding=1)
    return n.dense(7, F.relu(x + inner).mean((2, 3)), 3)


def residual_norms(n, x):
    x = n.conv(0, x, 3, (2, 2))
    inner = F.relu(n.norm(3, n.conv(2, x, 3, (3, 3), bias=False, padding=1)))
    return n.dense(6, x + n.norm(4, inner), 3)


def lenet(n, x):
    x = F.max_pool2d(F.relu(n.conv(0, x, 4, (5, 5), padding=2)), 2)
    x = F.max_pool2d(F.relu(n.conv(2, x, 6, (3, 3))), 2)
    return n.dense(5, F.relu(n.dense(4, x, 8)), 4)


def convnet(n, x):
    x = F.max_pool2d(F.relu(n.norm(1, n.conv(0, x, 4, (3, 3), bias=False))), 2)
    return n.dense(5, F.relu(n.norm(4, n.conv(3, x, 5, (2, 2), bias=False))), 3)


# The line, the input (H, W, C), the size of the batch, the smoothing of the labels, the same in PyTorch.
CASES = [
    ('dense 5 sigmoid, dense 4 tanh, dense 3', (3, 2, 2), 5, 0, lambda n, x: n.dense(
        2, torch.tanh(n.dense(1, torch.sigmoid(n.dense(0, x, 5)), 4)), 3)),
    ('sigmoid, dense 6 tanh, dense 6 relu, gelu, dense 5 leaky 0.2, dense 4 leaky, dense 3', (3, 2, 1), 6, 0, activations),
    ('dense 4, dense 3, mse', (3, 2, 1), 6, 0, lambda n, x: n.dense(1, n.dense(0, x, 4), 3)),
    ('dense 4, dense 3', (3, 2, 1), 6, 0.1, lambda n, x: n.dense(1, n.dense(0, x, 4), 3)),
    ('dense 4, dense 3, mse', (3, 2, 1), 6, 0.2, lambda n, x: n.dense(1, n.dense(0, x, 4), 3)),
    ('conv 3 3x3 relu, dense 3', (5, 6, 2), 3, 0, lambda n, x: n.dense(1, F.relu(n.conv(0, x, 3, (3, 3))), 3)),
    ('conv 2 1x1, conv 3 4x3 stride 2 pad 2 tanh, dense 3', (6, 7, 1), 3, 0, lambda n, x: n.dense(
        2, torch.tanh(n.conv(1, n.conv(0, x, 2, (1, 1)), 3, (4, 3), stride=2, padding=2)), 3)),
    ('conv 2 2x2 gelu, conv 4 3x2 pad 1 sigmoid, dense 3', (4, 5, 1), 3, 0, lambda n, x: n.dense(
        3, torch.sigmoid(n.conv(2, gelu(n.conv(0, x, 2, (2, 2))), 4, (3, 2), padding=1)), 3)),
    ('conv 3 2x2, pool 3 stride 2, dense 3', (6, 7, 1), 3, 0, lambda n, x: n.dense(
        2, F.max_pool2d(n.conv(0, x, 3, (2, 2)), 3, 2), 3)),
    ('conv 3 2x2, avgpool 3 stride 2, dense 3', (6, 7, 1), 3, 0, lambda n, x: n.dense(
        2, F.avg_pool2d(n.conv(0, x, 3, (2, 2)), 3, 2), 3)),
    ('conv 3 2x2, pool 2x1 stride 1, avgpool 1x2, dense 3', (5, 5, 1), 3, 0, lambda n, x: n.dense(
        3, F.avg_pool2d(F.max_pool2d(n.conv(0, x, 3, (2, 2)), (2, 1), 1), (1, 2), 1), 3)),
    ('conv 4 2x2, globalpool, dense 3', (5, 4, 1), 3, 0, lambda n, x: n.dense(
        2, n.conv(0, x, 4, (2, 2)).amax((2, 3)), 3)),
    ('conv 4 2x2, globalavg, dense 3', (5, 4, 1), 3, 0, lambda n, x: n.dense(
        2, n.conv(0, x, 4, (2, 2)).mean((2, 3)), 3)),
    ('norm, dense 4, norm sigmoid, dense 3', (3, 2, 2), 10, 0, lambda n, x: n.dense(
        3, torch.sigmoid(n.norm(2, n.dense(1, n.norm(0, x), 4, bias=False))), 3)),
    ('conv 4 3x3, norm relu, pool 2, conv 5 2x2, norm relu, dense 3', (10, 9, 1), 4, 0, convnet),
    ('conv 4 3x3 pad 1, res [ conv 4 3x3 pad 1 relu, conv 4 3x3 pad 1 ], relu, globalavg, dense 3', (4, 3, 1), 4, 0,
     residual),
    ('conv 3 2x2, res [ conv 3 3x3 pad 1, norm relu, norm ], dense 3', (5, 4, 1), 5, 0, residual_norms),
    ('conv 4 5x5 pad 2 relu, pool 2, conv 6 3x3 relu, pool 2, dense 8 relu, dense 4', (12, 12, 1), 3, 0, lenet),
]


def show(*words, values):
    print(*words, *(f'{v:.9g}' for v in values.detach().flatten().tolist()))


def run(line, shape, count, smoothing, forward, training):
    """The network with its batch: the logits and the loss."""
    made = Made()
    images = made.tensor(count, *shape).permute(0, 3, 1, 2)
    net = Net(made, training)
    logits = forward(net, images)
    labels = torch.arange(count) * 7 % logits.shape[1]
    if line.endswith('mse'):
        target = F.one_hot(labels, logits.shape[1]) * (1 - smoothing) + smoothing / logits.shape[1]
        loss = 0.5 * ((F.softmax(logits, 1) - target) ** 2).sum(1).mean()
    else:
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
    return net, logits, loss


def layers():
    for line, shape, count, smoothing, forward in CASES:
        net, _, loss = run(line, shape, count, smoothing, forward, True)
        loss.backward()
        print('spec', line)
        print('batch', *shape, count, smoothing)
        show('loss', values=loss)
        for name, parameter in net.parameters.items():
            show('gradient', name, values=parameter.grad)
        for name, statistics in net.running.items():
            show('running', name, values=statistics)
        _, logits, _ = run(line, shape, count, smoothing, forward, False)
        show('probabilities', values=F.softmax(logits, 1))


# As inkling calls them: rate, momentum (beta1), beta2, decay; epsilon is 1e-8 everywhere.
OPTIMIZERS = {
    'sgd': lambda w, rate, m, b, decay: torch.optim.SGD(w, rate, weight_decay=decay),
    'momentum': lambda w, rate, m, b, decay: torch.optim.SGD(w, rate, m, weight_decay=decay),
    'nesterov': lambda w, rate, m, b, decay: torch.optim.SGD(w, rate, m, weight_decay=decay, nesterov=True),
    'adagrad': lambda w, rate, m, b, decay: torch.optim.Adagrad(w, rate, weight_decay=decay, eps=1e-8),
    'rmsprop': lambda w, rate, m, b, decay: torch.optim.RMSprop(w, rate, b, 1e-8, decay),
    'adam': lambda w, rate, m, b, decay: torch.optim.Adam(w, rate, (m, b), 1e-8, decay),
    'adamw': lambda w, rate, m, b, decay: torch.optim.AdamW(w, rate, (m, b), 1e-8, decay),
}


def optimizers():
    for name, make in OPTIMIZERS.items():
        for settings in ((0.1, 0.5, 0.75, 0), (0.01, 0.9, 0.99, 0.125)):
            made = Made()
            weights = (made.tensor(5) - 0.5).requires_grad_(True)
            optimizer = make([weights], *settings)
            print(name, *settings)
            for _ in range(8):
                weights.grad = made.tensor(5) - 0.5
                optimizer.step()
                show(values=weights)


if __name__ == '__main__':
    {'layers': layers, 'optimizers': optimizers}[sys.argv[1]]()
