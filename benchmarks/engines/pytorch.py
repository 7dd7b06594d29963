"""PyTorch on the CPU as a peer of the benchmarks; started by pytorch.mjs, which sends lines of JSON.

Needs torch (2.13.0 was used) and numpy.
"""

import json
import math
import statistics
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

torch.manual_seed(0)


def values(length: int, seed: int) -> torch.Tensor:
    """The numbers of workloads/inputs.mjs: a linear congruential generator, all states at once."""
    powers = np.full(length + 1, 1664525, dtype=np.uint32)
    powers[0] = 1
    powers = np.cumprod(powers, dtype=np.uint32)
    sums = np.cumsum(powers[:-1], dtype=np.uint32)
    state = powers[1:] * np.uint32(seed) + np.uint32(1013904223) * sums
    return torch.from_numpy((state.astype(np.float64) / 4294967296 - 0.5).astype(np.float32))


def digest(tensor: torch.Tensor) -> dict:
    flat = tensor.detach().reshape(-1).double()
    return {
        "sum": flat.sum().item(),
        "sample": flat[flat.numel() >> 1].item(),
        "scale": math.sqrt((flat * flat).mean().item()),
    }


def channels_last(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.permute(0, 2, 3, 1)


class Gemm:
    def __init__(self, m, k, n, batch, **_):
        lead = [batch] if batch > 1 else []
        self.a = values(batch * m * k, 1).reshape(*lead, m, k)
        self.b = values(batch * k * n, 2).reshape(*lead, k, n)

    @torch.inference_mode()
    def run(self):
        return torch.matmul(self.a, self.b)


class Conv:
    def __init__(self, batch, size, channels, filters, kernel, stride, padding, **_):
        self.x = values(batch * size * size * channels, 1).reshape(batch, size, size, channels)
        self.x = self.x.permute(0, 3, 1, 2).contiguous()
        shape = (kernel, kernel, channels, filters)
        self.filter = values(math.prod(shape), 2).reshape(shape).permute(3, 2, 0, 1).contiguous()
        self.options = {"stride": stride, "padding": padding}

    @torch.inference_mode()
    def run(self):
        return channels_last(F.conv2d(self.x, self.filter, **self.options))


class Bert:
    layers, dim, heads, hidden, length, epsilon = 6, 384, 12, 1536, 128, 1e-12

    def __init__(self, **_):
        self.x = values(self.length * self.dim, 5).reshape(1, self.length, self.dim)
        self.weights = [self.layer(index) for index in range(self.layers)]

    def layer(self, index):
        def matrix(rows, columns, seed):
            numbers = values(rows * columns, 1000 + 20 * index + seed) / math.sqrt(rows / 3)
            return numbers.reshape(rows, columns).T.contiguous()

        def vector(length, seed, offset=0.0):
            return offset + 0.1 * values(length, 1000 + 20 * index + seed)

        dim, hidden = self.dim, self.hidden
        return {
            "query": (matrix(dim, dim, 0), vector(dim, 1)),
            "key": (matrix(dim, dim, 2), vector(dim, 3)),
            "value": (matrix(dim, dim, 4), vector(dim, 5)),
            "output": (matrix(dim, dim, 6), vector(dim, 7)),
            "norm1": (vector(dim, 8, 1.0), vector(dim, 9)),
            "up": (matrix(dim, hidden, 10), vector(hidden, 11)),
            "down": (matrix(hidden, dim, 12), vector(dim, 13)),
            "norm2": (vector(dim, 14, 1.0), vector(dim, 15)),
        }

    @torch.inference_mode()
    def run(self):
        x = self.x
        for weights in self.weights:
            heads = [
                F.linear(x, *weights[name]).reshape(1, self.length, self.heads, -1).transpose(1, 2)
                for name in ("query", "key", "value")
            ]
            mixed = F.scaled_dot_product_attention(*heads).transpose(1, 2).reshape(1, self.length, self.dim)
            first = F.layer_norm(x + F.linear(mixed, *weights["output"]), (self.dim,), *weights["norm1"], self.epsilon)
            hidden = F.gelu(F.linear(first, *weights["up"]))
            x = F.layer_norm(first + F.linear(hidden, *weights["down"]), (self.dim,), *weights["norm2"], self.epsilon)
        return x


class MobileNet:
    """workloads/mobilenet.mjs."""

    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    size, features, classes = 224, 1280, 1000

    def __init__(self, **_):
        self.x = values(self.size**2 * 3, 6).reshape(1, self.size, self.size, 3).permute(0, 3, 1, 2)
        self.count = 0
        self.blocks = [([self.layer(3, 32, 3, stride=2)], False)]
        channels = 32
        for expansion, output, blocks, first in self.stages:
            for block in range(blocks):
                stride = first if block == 0 else 1
                wide = channels * expansion
                layers = [self.layer(channels, wide, 1)] if expansion > 1 else []
                layers.append(self.layer(wide, wide, 3, stride=stride, groups=wide))
                layers.append(self.layer(wide, output, 1, active=False))
                self.blocks.append((layers, stride == 1 and channels == output))
                channels = output
        self.blocks.append(([self.layer(channels, self.features, 1)], False))
        shape = (self.features, self.classes)
        self.matrix = (values(math.prod(shape), 4000) * math.sqrt(12 / self.features)).reshape(shape).T.contiguous()
        self.offset = 0.1 * values(self.classes, 4001)

    def layer(self, input, output, kernel, stride=1, groups=1, active=True):
        seed = 3000 + 2 * self.count
        self.count += 1
        fan_in = kernel * kernel * input // groups
        weight = (values(fan_in * output, seed) * math.sqrt(24 / fan_in)).reshape(kernel, kernel, -1, output)
        weight = weight.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        options = {"stride": stride, "padding": (kernel - 1) // 2, "groups": groups}
        return weight, 0.1 * values(output, seed + 1), options, active

    @torch.inference_mode()
    def run(self):
        x = self.x
        for layers, adds in self.blocks:
            y = x
            for weight, bias, options, active in layers:
                y = F.conv2d(y, weight, bias, **options)
                if active:
                    y = F.relu6(y, inplace=True)
            x = x + y if adds else y
        return F.linear(x.mean((2, 3)), self.matrix, self.offset)


class Training:
    """A step of plain SGD; the loss that is compared is that of the second step."""

    def __init__(self, parameters, learning_rate):
        self.parameters = [parameter.requires_grad_() for parameter in parameters]
        self.optimizer = torch.optim.SGD(self.parameters, lr=learning_rate)

    def run(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        self.optimizer.step()
        return loss

    def first(self):
        self.run()
        return self.run()


class CnnTraining(Training):
    def __init__(self, batch, learningRate, **_):
        shapes = [(3, 3, 1, 32), (32,), (3, 3, 32, 64), (64,), (1600, 128), (128,), (128, 10), (10,)]
        parameters = []
        for index, shape in enumerate(shapes):
            fan_in = 1 if len(shape) == 1 else math.prod(shape) // shape[-1]
            scale = 0.0 if len(shape) == 1 else 2 / math.sqrt(fan_in)
            weight = (values(math.prod(shape), 100 + index) * scale).reshape(shape)
            if len(shape) == 4:
                weight = weight.permute(3, 2, 0, 1)
            if shape == (1600, 128):
                # rows are pixels channels last there, channels first here
                weight = weight.reshape(5, 5, 64, 128).permute(3, 2, 0, 1).reshape(128, 1600)
            elif len(shape) == 2:
                weight = weight.T
            parameters.append(weight.contiguous())
        super().__init__(parameters, learningRate)
        self.x = values(batch * 28 * 28, 7).reshape(batch, 1, 28, 28)
        self.y = torch.arange(batch) % 10

    def loss(self):
        filter1, bias1, filter2, bias2, weight3, bias3, weight4, bias4 = self.parameters
        first = F.max_pool2d(F.relu(F.conv2d(self.x, filter1, bias1)), 2)
        second = F.max_pool2d(F.relu(F.conv2d(first, filter2, bias2)), 2)
        hidden = F.relu(F.linear(second.flatten(1), weight3, bias3))
        return F.cross_entropy(F.linear(hidden, weight4, bias4), self.y)


class LstmTraining(Training):
    def __init__(self, batch, steps, hidden, learningRate, **_):
        dim = 28
        shapes = [(4 * hidden, dim), (4 * hidden, hidden), (4 * hidden,), (10, hidden), (10,)]
        weights = [
            (values(math.prod(shape), 200 + index) * (2 / math.sqrt(hidden))).reshape(shape)
            for index, shape in enumerate(shapes)
        ]
        self.lstm = torch.nn.LSTM(dim, hidden)
        with torch.no_grad():
            self.lstm.weight_ih_l0.copy_(weights[0])
            self.lstm.weight_hh_l0.copy_(weights[1])
            self.lstm.bias_ih_l0.copy_(weights[2])
            self.lstm.bias_hh_l0.zero_()
        self.lstm.bias_hh_l0.requires_grad_(False)
        self.head = [weight.requires_grad_() for weight in weights[3:]]
        self.x = values(steps * batch * dim, 7).reshape(steps, batch, dim)
        self.y = torch.arange(batch) % 10
        recurrent = [p for p in self.lstm.parameters() if p.requires_grad]
        self.optimizer = torch.optim.SGD([*recurrent, *self.head], lr=learningRate)

    def loss(self):
        output, _ = self.lstm(self.x)
        return F.cross_entropy(F.linear(output[-1], *self.head), self.y)


KINDS = {
    "gemm": Gemm,
    "conv": Conv,
    "bert": Bert,
    "mobilenet": MobileNet,
    "train-cnn": CnnTraining,
    "train-lstm": LstmTraining,
}


def handle(message: dict, state: dict) -> dict:
    kind = message["type"]
    if kind == "start":
        return {"description": f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"}
    if kind == "prepare":
        state["prepared"] = KINDS[message["workload"]["kind"]](**message["workload"])
        return {}
    prepared = state["prepared"]
    if kind == "run":
        if not message["wanted"]:
            prepared.run()
            return {}
        return {"result": digest(prepared.first() if isinstance(prepared, Training) else prepared.run())}
    if kind == "time":
        times = []
        started = before = time.perf_counter()
        while True:
            prepared.run()
            now = time.perf_counter()
            times.append((now - before) * 1000)
            before = now
            if (now - started) * 1000 >= message["milliseconds"]:
                return {"median": statistics.median(times)}
    state.pop("prepared")
    return {}


def main() -> None:
    state: dict = {}
    for line in sys.stdin:
        try:
            answer = handle(json.loads(line), state)
        except Exception as error:  # the caller reports it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
