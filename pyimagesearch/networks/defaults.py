"""What Keras takes where a layer is not told, kept apart from another program's settings."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def keras_defaults() -> Iterator[None]:
    """Build layers with channels last in float32, whatever keras.json or a program has set.

    A layer keeps what it was built with; afterwards the settings are what they were before.
    Also a decorator: @keras_defaults().
    """
    order, number = keras.config.image_data_format(), keras.config.floatx()
    policy = keras.config.dtype_policy()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_image_data_format(order)
        keras.config.set_floatx(number)
        keras.config.set_dtype_policy(policy)
