"""Are the three claims measured as they are defined, told as the numbers say, and shown where they stand?"""

from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from conftest import walking_frames

from freqviz import claims, run, spectra
from freqviz import figures_claims as figures
from freqviz.claims import (
    BAND_NAMES,
    CASES,
    CHANGES,
    FLOOR,
    LIGHT,
    SPATIAL,
    SPECTRAL,
    TOTAL,
    Claims,
)
from freqviz.clip import Clip
from freqviz.jobs import Cancelled
from freqviz.panel import Bars, Line, Points
from freqviz.to_matplotlib import render
from freqviz.to_plotly import to_plotly

BOX = [40, 30, 160, 200]


def texture(seed: int = 3, size: tuple[int, int] = (260, 300)) -> np.ndarray:
    """Colour noise whose amplitude falls as 1 / f, like that of photographs."""
    rng = np.random.default_rng(seed)
    radius = np.maximum(np.hypot(np.fft.fftfreq(size[0])[:, None], np.fft.fftfreq(size[1])), 1 / 260)
    grey = np.fft.ifft2(np.fft.fft2(rng.normal(size=size)) / radius).real
    grey = 128 + 40 * grey / grey.std()
    return np.clip(np.stack([grey, grey + 4, grey - 9], -1), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def tables():
    found = claims.blurred(texture(), BOX, [90, 110])
    return {name: pd.DataFrame(rows) for name, rows in found.items()}


def natural(count: int = 30, seed: int = 1) -> pd.DataFrame:
    """Frames that become blurrier by 1 px each: the sharpness index falls as much, the gradient energy less clearly."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"frame": 5 + np.arange(count), "blur": np.arange(count, dtype=float)})
    for name in (*SPECTRAL, *SPATIAL, *CHANGES, *BAND_NAMES, TOTAL):
        table[name] = rng.normal(size=count)
    table["sharpness index"] = -table["blur"]
    table["gradient energy"] = -table["blur"] + np.tile([1.5, -0.5], count)[:count]  # neighbours differ by 3 and 1
    table["contrast"] = 7.0
    table[BAND_NAMES[2]] = -3 * table["blur"]
    return table


@pytest.fixture
def found(tables) -> Claims:
    frames = natural()
    return Claims(
        "Edge width (pixels)", [7], tables["transfer"], tables["explained"], tables["responses"], frames,
        claims._effects(frames), claims._correlations(frames), tables["added"],
    )  # fmt: skip


@pytest.mark.parametrize("size", [(40, 56), (41, 55)])
def test_the_complex_spectrum_changes_as_the_pixels_do_and_brighter_changes_all_alike(size, rng):
    before, after = rng.random((2, *size))
    pixels, whole, amplitude, _ = claims.changes(before, after)
    assert whole == pytest.approx(pixels, rel=1e-9)
    assert amplitude < 0.8 * pixels
    pixels, whole, amplitude, log = claims.changes(before, 1.2 * before)
    assert (pixels, whole, amplitude) == pytest.approx((0.2, 0.2, 0.2))
    radius = spectra.radial_frequency(*size)
    inside = np.log(np.abs(spectra.transform(before))[(radius > 0) & (radius <= 0.25)])
    assert log == pytest.approx(np.log(1.2) / inside.std(), rel=1e-3)
    assert np.isnan(claims.changes(np.ones(size), after)).all()


def test_of_a_shift_the_amplitude_sees_little_and_of_blur_much(tables):
    seen = tables["responses"].set_index("change")
    assert list(seen.index) == list(CHANGES)
    ratio = seen["blur"] / seen["shift"]
    assert ratio[CHANGES[0]] == pytest.approx(ratio[CHANGES[1]])
    assert ratio[CHANGES[3]] > 2 > ratio[CHANGES[0]]


def test_a_model_that_is_right_explains_all_and_the_sharp_picture_nothing(rng):
    before, after = rng.random((2, 48, 40))
    assert claims._explained(before, after, after) == pytest.approx(np.ones(6))
    assert claims._explained(before, after, before) == pytest.approx(np.zeros(6))
    half = claims._explained(before, after, before + 0.5 * (after - before))
    assert half == pytest.approx(np.full(6, 0.75))


def test_one_factor_for_each_frequency_explains_uniform_blur_only(tables):
    shares = tables["explained"].set_index(["case", "band", "length"])["share"]
    for length in claims.LENGTHS:
        assert shares["whole picture", "all", length] > 0.85
        assert shares["whole picture", "all", length] > shares["each pixel by itself", "all", length] + 0.2
        assert -1e-9 < shares["one limb", "all", length] < 0.5
    assert shares["with noise", BAND_NAMES[-1], 3] < shares["whole picture", BAND_NAMES[-1], 3] - 0.03


def test_the_gain_follows_the_sinc_and_has_its_zeros_at_whole_cycles(tables):
    table = tables["transfer"]
    expected = 20 * np.log10(np.maximum(np.abs(np.sinc(table["length"] * table["frequency"])), 0.01))
    np.testing.assert_allclose(table["expected"], expected)
    clear = table["expected"] > -12
    assert np.abs(table["measured"] - table["expected"])[clear].median() < 1
    of_nine = table[table["length"] == 9].set_index("frequency")["measured"]
    lobe, zero = (
        of_nine[(of_nine.index - 1.5 / 9).to_series().abs().idxmin() + 1.5 / 9 :].iloc[0],
        of_nine.loc[0.1:0.12].min(),
    )
    assert zero < lobe - 4


def test_blur_takes_fine_energy_and_leaves_light_and_noise(tables):
    table = tables["added"].pivot(index="length", columns="quantity", values="decibels")
    assert list(table.index) == [0, *claims.LENGTHS]
    assert (table.loc[0] == 0).all()
    for band in BAND_NAMES[1:]:
        assert (np.diff(table[band]) < 0.05).all()
    assert table[BAND_NAMES[2]][31] < -4
    assert abs(table[TOTAL][31]) < 0.5
    assert abs(table[LIGHT][31]) < 0.5
    assert table[FLOOR][31] > table[BAND_NAMES[-1]][31] + 1


@pytest.mark.parametrize(
    ("frame", "box", "answer"),
    [
        (texture(), [40, 30, 18, 100], "blur needs a person's region with sides of 27 px, got 23 x 125"),
        (np.full((260, 300, 3), 90, np.uint8), BOX, "blur needs a person's region with structure, got a flat one"),
    ],
)
def test_what_cannot_be_blurred_is_said(frame, box, answer):
    with pytest.raises(ValueError, match=answer):
        claims.blurred(frame, box, [90, 110])


def test_effects_are_thirds_in_units_of_the_noise_from_frame_to_frame():
    rows = claims.by_quantity(claims._effects(natural()))
    assert rows["sharpness index"]["effect"] == pytest.approx(20 / (1.4826 / np.sqrt(2)))  # a step of 1 each frame
    assert rows["blur"]["effect"] == pytest.approx(-20 / (1.4826 / np.sqrt(2)))
    gradient = rows["gradient energy"]["effect"]
    assert gradient == pytest.approx(20 / (3 * 1.4826 / np.sqrt(2)), rel=0.02)
    assert rows["difference"]["effect"] == pytest.approx(rows["sharpness index"]["effect"] - gradient)
    assert rows["difference"]["low"] > 0
    assert np.isnan(rows["contrast"]["effect"])
    assert rows["brightness"]["low"] < rows["brightness"]["effect"] < rows["brightness"]["high"]
    assert not len(claims._effects(natural(23)))
    assert not len(claims._effects(natural().assign(blur=2.0)))


def test_correlations_are_of_the_blur_with_each_energy():
    rows = claims.by_quantity(claims._correlations(natural()))
    assert list(rows) == [*BAND_NAMES, TOTAL, LIGHT]
    assert rows[BAND_NAMES[2]]["rho"] == -1
    assert abs(rows[LIGHT]["rho"]) < 0.6
    assert rows[TOTAL]["n"] == 30
    assert not len(claims._correlations(natural(7)))


def test_verdicts_follow_the_numbers(found):
    assert [verdict.outcome for verdict in found.verdicts] == [claims.HOLDS, claims.HOLDS, claims.HOLDS]
    first, second, third = found.verdicts
    assert f"explains {100 * found.share(CASES[0]):.0f} % of what changed" in first.reason
    assert "the sharpness index moves by 19.1 times its noise from frame to frame, the gradient energy" in second.reason
    assert "the complex spectrum as much as the pixels (Parseval)" in second.reason
    assert "of the band .08–.15 goes with the blur by ρ = −1.00 [−1.00, −1.00], the brightness" in third.reason


def test_verdicts_can_be_no_and_cannot_be_told(found):
    worse = found.explained.assign(share=0.1)
    assert replace(found, explained=worse).verdicts[0].outcome == claims.FAILS
    close = found.explained.assign(share=0.9)
    assert replace(found, explained=close).verdicts[0].outcome == claims.OPEN  # each pixel by itself does as well
    table = natural()
    table["sharpness index"], table["gradient energy"] = table["gradient energy"], table["sharpness index"].copy()
    table[BAND_NAMES[2]] *= -1
    turned = replace(found, effects=claims._effects(table), correlations=claims._correlations(table))
    assert [verdict.outcome for verdict in turned.verdicts[1:]] == [claims.FAILS, claims.FAILS]
    wide = found.effects.assign(low=-1.0)
    assert replace(found, effects=wide).verdicts[1].outcome == claims.OPEN  # larger, but zero is in the interval
    rng = np.random.default_rng(5)
    still = natural().assign(blur=rng.normal(size=30))
    turned = replace(found, natural=still, effects=claims._effects(still), correlations=claims._correlations(still))
    assert [verdict.outcome for verdict in turned.verdicts[1:]] == [claims.OPEN, claims.OPEN]
    assert "Blur hardly changes in this clip" in turned.verdicts[1].reason
    short = natural(5)
    turned = replace(found, natural=short, effects=claims._effects(short), correlations=claims._correlations(short))
    assert "5 frames with a known blur and a next frame are too few, 24 are needed." in turned.verdicts[1].reason
    assert "are too few, 8 are needed." in turned.verdicts[2].reason
    alike = natural().assign(blur=1.0)
    turned = replace(found, natural=alike, effects=claims._effects(alike), correlations=claims._correlations(alike))
    assert "Every frame of this clip is as blurred as every other." in turned.verdicts[2].reason


def blurring_clip(count: int = 30) -> tuple[Clip, np.ndarray]:
    """A textured walker, out of focus by more and more from frame to frame, and by how much."""
    amounts = np.linspace(0.3, 3, count)
    frames = [
        np.asarray(cv2.GaussianBlur(frame, (0, 0), sigma))
        for frame, sigma in zip(walking_frames(count, 1.0), amounts, strict=True)
    ]
    return Clip.from_frames(frames, fps=25), amounts


@pytest.fixture(scope="module")
def measured():
    from conftest import TinyNetwork

    clip, amounts = blurring_clip()
    analysis = run.analyse(clip, {"freq-video": TinyNetwork().eval()}, [20, 40, 24, 48])
    return clip, amounts, analysis


def test_a_clip_that_loses_focus_is_measured_frame_by_frame(measured, tmp_path):
    clip, amounts, analysis = measured
    heard = []
    found = claims.measure(clip, replace(analysis, frames=analysis.frames.assign(lost="")), amounts, "Focus (pixels)",
                           lambda done, total: heard.append((done, total)))  # fmt: skip
    assert heard[-1] == (32, 32)  # three sharpest frames and 29 with a successor
    assert found.sharpest == [0, 4, 8]  # more than a tenth of the clip apart
    assert list(found.natural["frame"]) == list(range(29))
    rows = claims.by_quantity(found.correlations)
    assert rows[BAND_NAMES[2]]["rho"] < -0.8
    assert found.verdicts[2].outcome == claims.HOLDS
    found.save(tmp_path / "claims.json")
    again = Claims.load(tmp_path / "claims.json")
    assert again.verdicts == found.verdicts
    for name in ("natural", "effects", "explained"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(found, name))


def test_lost_frames_are_left_out_and_a_clip_of_them_is_refused(measured):
    clip, amounts, analysis = measured
    lost = np.where(np.arange(30) < 4, "low scores", "")
    part = replace(analysis, frames=analysis.frames.assign(lost=lost))
    found = claims.measure(clip, part, amounts)
    assert found.sharpest == [4, 8, 12]
    assert found.natural["frame"].min() == 4
    with pytest.raises(ValueError, match="need frames with a person whose blur can be measured, got none"):
        claims.measure(clip, replace(analysis, frames=analysis.frames.assign(lost="left")), amounts)
    with pytest.raises(ValueError, match=r"blurs must be \(30,\), one a frame, got \(3,\)"):
        claims.measure(clip, analysis, amounts[:3])
    with pytest.raises(Cancelled):
        claims.measure(clip, part, amounts, cancelled=lambda: True)


def test_figures_show_the_chosen_length_and_the_nearest_frame(found):
    expected, measured = (mark for mark in figures.transfer(found, 15).marks if isinstance(mark, Line))
    rows = found.transfer[found.transfer["length"] == 15]
    np.testing.assert_allclose(measured.y, rows["measured"])
    np.testing.assert_allclose(expected.y, rows["expected"])
    assert "its zeros lie at 0.067, 0.133, 0.200." in figures.transfer(found, 15).note
    panel = figures.explained(found, 9)
    bars = {mark.name: mark for mark in panel.marks if isinstance(mark, Bars)}
    assert list(bars) == list(CASES)
    assert bars["whole picture"].height[-1] == pytest.approx(found.share("whole picture", 9))
    assert [text for _, text in panel.x.ticks] == [*BAND_NAMES, "all"]
    panel = figures.responses(found, 33)
    bars = {mark.name: mark for mark in panel.marks if isinstance(mark, Bars)}
    assert list(bars) == ["shift by 4 px", "blur of 9 px", "frame 33 to the next"]
    np.testing.assert_allclose(bars["frame 33 to the next"].height, found.natural[list(CHANGES)].iloc[28])
    assert "frame 34 to the next" in [mark.name for mark in figures.responses(found, 99).marks]
    with pytest.raises(LookupError, match="no blur of 4 px was added; lengths: 3, 5, 9, 15, 21, 31"):
        figures.transfer(found, 4)


def test_intervals_stand_in_the_row_of_their_quantity(found):
    panel = figures.effects(found)
    names = [text for _, text in panel.y.ticks]
    assert names == [*SPECTRAL, *SPATIAL]
    rows = claims.by_quantity(found.effects)
    for kind in ("spectral", "spatial"):
        (points,) = [mark for mark in panel.marks if isinstance(mark, Points) and mark.name == kind]
        for value, row in zip(points.x, points.y, strict=True):
            assert value == rows[names[int(row)]]["effect"]
        assert "contrast" not in points.texts
    panel = figures.correlations(found)
    line, *_ = [mark for mark in panel.marks if isinstance(mark, Line)]
    assert line.x[6:8].tolist() == [-1, -1]
    assert np.isnan(line.x[2::3]).all()
    assert line.y[6] == 2


def test_what_is_not_there_is_said(found):
    none = replace(found, effects=found.effects[:0], correlations=found.correlations[:0], natural=found.natural[:3])
    with pytest.raises(LookupError, match="need 24 frames that differ in blur, got 3"):
        figures.effects(none)
    with pytest.raises(LookupError, match="need 8 frames that differ in blur, got 3"):
        figures.correlations(none)
    alike = replace(found, effects=found.effects[:0])
    with pytest.raises(LookupError, match="got 30, all alike"):
        figures.effects(alike)
    assert len(figures.responses(replace(found, natural=found.natural[:0]), 7).marks) == 2


def test_both_renderers_draw_every_figure(found):
    drawn = [figures.transfer(found, 31), figures.explained(found, 3), figures.responses(found, 12)]
    for panel in [*drawn, figures.effects(found), figures.correlations(found), figures.added(found)]:
        assert panel.guide
        assert panel.formula
        assert panel.source
        assert to_plotly(panel).data
        assert render(panel, "png")
