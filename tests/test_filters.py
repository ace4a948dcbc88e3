"""Are kernels and responses of learned filters those that the networks apply?"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from freqviz import filters, spectra


def shift_filter(height: int, width: int, dx: float, dy: float) -> np.ndarray:
    """exp(-2πi (u dx + v dy)) for u >= 0: moves content by (dx, dy)."""
    v, u = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    return np.exp(-2j * np.pi * (u * dx + v * dy))


@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 2**31))
def test_the_other_half_of_the_plane_is_the_conjugate_and_the_kernel_what_the_network_applies(height, width, seed):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(height, width // 2 + 1)) + 1j * rng.normal(size=(height, width // 2 + 1))
    kernel = filters.kernel_of_filter(half, width)
    plane = filters.response(kernel)
    assert kernel.shape == plane.shape == (height, width)
    for row, v in enumerate(np.round(spectra.frequencies(height) * height).astype(int)):
        for column, u in enumerate(np.round(spectra.frequencies(width) * width).astype(int)):
            if u > 0 or (u < 0 and 2 * -u < width):  # one column of a pair
                expected = half[v % height, u] if u > 0 else half[-v % height, -u].conj()
            else:  # u = 0 or Nyquist: only the part of a real kernel counts
                expected = (half[v % height, -u] + half[-v % height, -u].conj()) / 2
            assert plane[row, column] == pytest.approx(expected)
    image = rng.normal(size=(height, width))
    seen = np.fft.irfft2(half * np.fft.rfft2(image), s=(height, width))
    d = [(i - height // 2, j - width // 2) for i in range(height) for j in range(width)]
    written_out = sum(k * np.roll(image, shift, (0, 1)) for k, shift in zip(kernel.ravel(), d, strict=True))
    np.testing.assert_allclose(written_out, seen, atol=1e-9)


@pytest.mark.parametrize("size", [(24, 18), (13, 9)])
@pytest.mark.parametrize(("dx", "dy"), [(3, -2), (-4, 5)])
def test_a_filter_that_shifts_has_gain_one_linear_phase_and_its_kernel_peaks_at_the_shift(size, dx, dy):
    height, width = size
    kernel = filters.kernel_of_filter(shift_filter(height, width, dx, dy), width)
    y, x = np.unravel_index(kernel.argmax(), kernel.shape)
    assert (x - width // 2, y - height // 2) == (dx, dy)
    assert kernel.max() == pytest.approx(1)
    plane = filters.response(kernel)
    np.testing.assert_allclose(np.abs(plane), 1)
    v, u = spectra.frequencies(height)[:, None], spectra.frequencies(width)[None]
    np.testing.assert_allclose(plane, np.exp(-2j * np.pi * (u * dx + v * dy)), atol=1e-9)


def test_taps_of_a_layer_become_the_kernel_that_it_convolves_with(rng):
    taps, image = rng.normal(size=(5, 3)), np.zeros((12, 9))
    image[3:8, 3:6] = rng.normal(size=(5, 3))  # far enough from the border
    layer = torch.nn.functional.conv2d(torch.tensor(image)[None, None], torch.tensor(taps)[None, None], padding=(2, 1))[
        0, 0
    ].numpy()
    plane = filters.response(filters.kernel_of_taps(taps, 12, 9))
    circular = np.fft.ifft2(np.fft.ifftshift(plane) * np.fft.fft2(image)).real
    np.testing.assert_allclose(circular[1:11, 1:8], layer[1:11, 1:8], atol=1e-9)


def test_strength_is_the_distance_of_the_kernel_from_the_identity(rng):
    kernel = np.zeros((3, 6, 5))
    kernel[:, 3, 2] = 1
    assert filters.strength(filters.response(kernel)) == pytest.approx(0)
    change = rng.normal(size=kernel.shape) * np.array([1, 2, 3])[:, None, None]
    found = filters.strength(filters.response(kernel + change))
    assert found == pytest.approx(np.sqrt((change**2).sum((1, 2))))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: filters.kernel_of_filter(np.ones((24, 9)), 18), r"18 wide must be \(..., H, 10\), got \(24, 9\)"),
        (lambda: filters.kernel_of_taps(np.ones((4, 3)), 9, 9), r"odd sides of at most 9 and 9, got \(4, 3\)"),
        (lambda: filters.kernel_of_taps(np.ones((3, 11)), 9, 9), r"got \(3, 11\)"),
    ],
)
def test_a_wrong_argument_is_told_what_was_expected_and_what_came(call, message):
    with pytest.raises(ValueError, match=message):
        call()
