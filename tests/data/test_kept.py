"""What is computed from images is computed once, whatever comes beside them."""

import numpy as np

from pyimagesearch.data.kept import kept

IMAGES = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2, 1)


def sums(calls):
    def compute(pixels, digests):
        calls.append(len(pixels))
        return pixels.reshape(len(pixels), -1).sum(axis=1, dtype=np.float16)[:, None]

    return compute


def test_each_image_is_computed_once(tmp_path, monkeypatch):
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path))
    calls = []
    wanted = IMAGES.reshape(5, 4).sum(axis=1)[:, None]
    np.testing.assert_array_equal(kept("sums", IMAGES[:3], sums(calls), "read"), wanted[:3])
    # in another order, one of them twice, two more: those two alone are computed
    order = [4, 0, 0, 3, 2, 1]
    np.testing.assert_array_equal(kept("sums", IMAGES[order], sums(calls), "read"), wanted[order])
    assert calls == [3, 2]
    kept("other sums", IMAGES, sums(calls), "read")
    assert calls == [3, 2, 5]


def test_it_works_where_there_is_no_cache(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CONTRASTIVE_CACHE", str(tmp_path / "file"))
    assert kept("sums", IMAGES, sums([]), "read").shape == (5, 1)
