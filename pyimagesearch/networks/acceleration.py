"""What makes the networks train in fewer milliseconds, without changing what they compute."""

import sys
from itertools import pairwise
from typing import Any

import keras
import tensorflow as tf
from keras.layers import Add, BatchNormalization, Conv2D, DepthwiseConv2D, Dropout, ReLU

from pyimagesearch.system.terminal import AT_ONCE

# what layers compute in, with float32 weights. auto: bfloat16 where the processor multiplies it
PRECISIONS = ("auto", "bfloat16", "float32")
# the settings of a layer that has a faster form here; with others it stays as it is
PLAIN = {"activation": "linear", "dilation_rate": (1, 1), "scale": True, "center": True, "axis": -1}


def accelerate(network: keras.Model, precision: str = "auto") -> keras.Model | keras.layers.Layer:
    """A copy of a network that computes the same function in fewer milliseconds.

    A chain of layers, or each of a network's chains, takes a batch in parts, in bfloat16 (see
    PRECISIONS; not the last layer), with dropout from fewer random bits. Any other goes through
    accelerate_convolutions, as a whole where BatchNormalization has statistics of a whole batch.
    """
    of_chains = any(isinstance(layer, keras.Model) for layer in network.layers)
    # a chain: each layer takes what the one before it gives, and nothing else
    is_chain = all(layer.input is before.output for before, layer in pairwise(network.layers))
    if has_batch_statistics(network):
        return accelerate_convolutions(network, "float32")
    if not (of_chains or is_chain):
        return InParts(accelerate_convolutions(network, precision))
    in_bfloat16 = computes_in_bfloat16(precision)

    def copy(layer):
        if isinstance(layer, keras.Model):
            return accelerate(layer, precision)
        (config, kind) = (layer.get_config(), type(layer))
        if not of_chains and layer is not network.layers[-1]:
            config["dtype"] = "mixed_bfloat16" if in_bfloat16 else "float32"
        return (EightBitDropout if kind is Dropout else kind).from_config(config)

    twin = keras.models.clone_model(network, clone_function=copy)
    twin.set_weights(network.get_weights())
    return twin if of_chains else InParts(twin)


def accelerate_convolutions(network: keras.Model, precision: str = "auto") -> keras.Model:
    """A copy of a network of convolutions that computes the same function in fewer milliseconds.

    Convolutions, ReLU and sums compute in bfloat16, see PRECISIONS. The weights stay float32.
    BatchNormalization and the gradients of depthwise convolutions take faster kernels.
    """
    in_bfloat16 = computes_in_bfloat16(precision)

    def copy(layer):
        if isinstance(layer, keras.Model):
            return accelerate_convolutions(layer, precision)
        (config, kind) = (layer.get_config(), type(layer))
        if in_bfloat16 and kind in (Add, Conv2D, DepthwiseConv2D, ReLU):
            config["dtype"] = "mixed_bfloat16"
        is_plain = all(config.get(name, value) == value for name, value in PLAIN.items())
        faster: dict = {DepthwiseConv2D: Depthwise, BatchNormalization: OneKernelNormalization}
        return faster.get(kind if is_plain else None, kind).from_config(config)

    twin = keras.models.clone_model(network, clone_function=copy)
    twin.set_weights(network.get_weights())
    return twin


def has_batch_statistics(network: keras.Model | keras.layers.Layer) -> bool:
    """Whether the network holds a BatchNormalization."""
    return any(weight.name == "moving_mean" for weight in network.non_trainable_weights)


class InParts(keras.layers.Layer):
    """The same network on the parts of a batch side by side, a part for each core, up to four.

    This keeps cores busier than a share of each layer. terminal.setup gives a layer one thread.
    """

    def __init__(self, network: keras.Model):
        super().__init__(dtype="float32")
        self.network = network
        self.parts = 1 if tf.config.list_physical_devices("GPU") else AT_ONCE

    def call(self, images: tf.Tensor, training: bool = False, mask: Any = None) -> tf.Tensor:
        # mask: clone_model hands one on
        n = tf.shape(images)[0]
        # no part may be empty, since some of TensorFlow's convolutions fail on no image
        shape = tf.concat([[tf.maximum(self.parts - n, 0)], tf.shape(images)[1:]], axis=0)
        images = tf.concat([images, tf.zeros(shape, images.dtype)], axis=0)
        images = tf.ensure_shape(images, self.network.input_shape)  # which augmentation forgets
        size = tf.maximum(n, self.parts)
        cuts = [size * i // self.parts for i in range(self.parts + 1)]
        parts = [images[a:b] for a, b in pairwise(cuts)]
        return tf.concat([self.network(part, training=training) for part in parts], axis=0)[:n]


class EightBitDropout(Dropout):
    """Dropout that spends 8 random bits a value instead of 32.

    A value is dropped where its number, 0 to 255, is below 256 rate: for 0.3 below 76.8, which
    each call rounds up or down at random, here to 77 in 8 of 10: the mean meets the rate.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or self.rate == 0:
            return inputs
        size = tf.size(inputs)
        (count, seed) = ([1 + (size + 3) // 4], self.seed_generator.next())
        bits = tf.random.stateless_uniform(count, seed, minval=None, maxval=None, dtype=tf.uint32)
        up = tf.cast(bits[0], tf.float32) / 2**32  # [0, 1]
        dropped_below = tf.cast(tf.minimum(tf.floor(256 * self.rate + up), 255), tf.uint8)
        numbers = tf.reshape(tf.bitcast(bits[1:], tf.uint8), [-1])[:size]
        kept = tf.reshape(numbers, tf.shape(inputs)) >= dropped_below
        return inputs * (tf.cast(kept, inputs.dtype) * tf.cast(1 / (1 - self.rate), inputs.dtype))


class OneKernelNormalization(BatchNormalization):
    """BatchNormalization that trains by one kernel of TensorFlow's; Keras' takes ten operations."""

    def call(self, inputs: tf.Tensor, training: bool = False, mask: Any = None) -> tf.Tensor:
        if not (training and self.trainable and len(inputs.shape) == 4):
            return super().call(inputs, training=training, mask=mask)
        (gamma, beta) = map(tf.convert_to_tensor, (self.gamma, self.beta))
        how = {"x": inputs, "scale": gamma, "offset": beta, "epsilon": self.epsilon}
        (outputs, mean, variance, *_) = tf.raw_ops.FusedBatchNormV3(mean=[], variance=[], **how)
        n = tf.cast(tf.size(inputs[..., 0]), tf.float32)
        variance *= (n - 1) / n  # the kernel divides by n - 1, Keras by n
        for moving, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + new * (1 - self.momentum))
        return outputs


class Depthwise(DepthwiseConv2D):
    """One window a channel, its gradients computed in float32.

    TensorFlow takes oneDNN's kernel for the windows' gradient, the slower one for windows above 3x3
    or as large as the image, and in bfloat16. With padding that is written out it takes its own.
    """

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        self.sides = input_shape[1:3]  # which augmentation forgets

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        (side, stride, dtype) = (self.kernel_size[0], self.strides[0], inputs.dtype)
        how: Any = {"strides": (1, stride, stride, 1), "padding": self.padding.upper()}

        @tf.custom_gradient
        def convolved(images, windows):
            def gradient(dy):
                (x, dy) = (tf.cast(images, "float32"), tf.cast(dy, "float32"))
                to_images = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                    input_sizes=tf.shape(x), filter=windows, out_backprop=dy, **how)  # fmt: skip
                written = how
                if None not in self.sides and (side > 3 or min(self.sides) <= side):
                    pads = [0, 0]
                    for had in self.sides:
                        pad = max((-(-had // stride) - 1) * stride + side - had, 0)
                        pads += [pad // 2, pad - pad // 2] if self.padding == "same" else [0, 0]
                    written = how | {"padding": "EXPLICIT", "explicit_paddings": [*pads, 0, 0]}
                to_windows = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                    input=x, filter_sizes=windows.shape, out_backprop=dy, **written)  # fmt: skip
                return tf.cast(to_images, dtype), to_windows

            return tf.nn.depthwise_conv2d(images, tf.cast(windows, dtype), **how), gradient

        moved = convolved(inputs, tf.cast(tf.convert_to_tensor(self.kernel), "float32"))
        if self.bias is None:
            return moved
        return tf.nn.bias_add(moved, tf.cast(tf.convert_to_tensor(self.bias), dtype))


def computes_in_bfloat16(precision: str) -> bool:
    """Whether layers of a precision compute in bfloat16 here, see PRECISIONS."""
    if precision != "auto" or tf.config.list_physical_devices("GPU") or sys.platform != "linux":
        return precision == "bfloat16"
    with open("/proc/cpuinfo") as f:  # where the hardware does not multiply it, it is emulated
        return "avx512_bf16" in f.read()
