"""What augmentation does to pixels, on pictures small enough to follow by eye."""

import numpy as np

from pyimagesearch.config import RECIPES
from pyimagesearch.data.augmentation import DRAWN, DRAWS, moved

STILL = RECIPES["fast"].changed(shift=0)


def drawn(**numbers):
    """Draws for one image: 0 but for those named."""
    draws = np.zeros((DRAWN, 1), np.float32)
    for name, value in numbers.items():
        draws[DRAWS.index(name.replace("_", " "))] = value
    return draws


def changed(image, draws, **asked):
    images = np.asarray(image, np.uint8).reshape(1, *np.shape(image))
    return moved(images, STILL.changed(**asked), draws=draws).numpy()[0]


RAMP = np.arange(0, 160, 10).reshape(4, 4, 1)  # rows of 0 10 20 30, 40 50 60 70, …


def test_mirror_turns_left_into_right():
    np.testing.assert_array_equal(changed(RAMP, drawn(mirror=0.5), mirror=True), RAMP[:, ::-1])
    np.testing.assert_array_equal(changed(RAMP, drawn(mirror=-0.5), mirror=True), RAMP)


def test_a_window_of_a_quarter_of_the_area_is_enlarged_to_the_whole():
    """crop 0.75, drawn in full: the window has half of the sides."""
    # about the middle, 1.5: pixel 0 is read at 1.5 - 1.5 / 2 = 0.75, so 7.5 + 4 * 7.5 = 37.5
    middle = changed(RAMP, drawn(window=1), crop=0.75)[:, :, 0]
    np.testing.assert_allclose(middle[0], [37, 42, 47, 52], atol=1)
    # to the left edge: (1 - 1/2) * 4 / 2 = one pixel further left, and no further than the edge
    left = changed(RAMP, drawn(window=1, from_left=-1), crop=0.75)[:, :, 0]
    np.testing.assert_allclose(left[0], [30, 32, 37, 42], atol=1)
    np.testing.assert_array_equal(changed(RAMP, drawn(window=-1), crop=0.75), RAMP)


def test_light_is_contrast_about_the_mean_and_then_brightness():
    image = np.array([[[50], [150]]])  # mean 100
    assert changed(image, drawn(contrast=1), light=0.2).ravel().tolist() == [40, 160]
    assert changed(image, drawn(light=-1), light=0.2).ravel().tolist() == [40, 120]
    assert changed([[[200], [250]]], drawn(light=1), light=0.5).ravel().tolist() == [255, 255]


def test_colour_is_away_from_grey_and_a_cast_from_blue_to_red():
    pixel = np.array([[[60, 90, 120]]])  # grey 90
    assert changed(pixel, drawn(colour=-1), colour=0.5).ravel().tolist() == [75, 90, 105]
    # a quarter of 0.4: red by 1.1, blue by 0.9
    assert changed(pixel, drawn(cast=1), colour=0.4).ravel().tolist() == [66, 90, 108]
    grey = np.array([[[60]]])
    assert changed(grey, drawn(colour=-1, cast=1), colour=0.5).item() == 60


def test_blur_is_a_share_of_the_blurred_image():
    image = np.zeros((5, 5, 1))
    image[2, 2] = 128
    # the kernel's middle is 36 of 256: 18 of 128; at half the share half of each
    assert changed(image, drawn(blur=1), blur=0.5)[2, 2] == (18 + 128) // 2
    assert changed(image, drawn(blur=1), blur=0.5)[2, 3] == 12 // 2
    np.testing.assert_array_equal(changed(image, drawn(blur=-1), blur=0.5), image)
