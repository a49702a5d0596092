"""Strokes, boxes and text: coverage that can be computed by hand."""

import numpy as np
import pytest

from vsrcli.compare.canvas import blend, draw_lines, draw_text, rounded_box_coverage, stroke_coverage
from vsrcli.compare.font import GLYPHS, text_segments, text_width


def test_a_stroke_covers_its_area() -> None:
    coverage = stroke_coverage(np.array([[10.0, 10.0, 30.0, 10.0]]), 4.0, 20, 40)
    assert coverage[10, 20] == 1 and coverage[4, 20] == 0
    assert coverage.sum() == pytest.approx(20 * 4 + np.pi * 2**2, rel=0.02)


def test_strokes_are_antialiased_at_any_angle() -> None:
    coverage = stroke_coverage(np.array([[5.0, 5.0, 35.0, 22.0]]), 3.0, 30, 40)
    partly = (coverage > 0.05) & (coverage < 0.95)
    assert partly.sum() > 50
    assert coverage.sum() == pytest.approx(np.hypot(30, 17) * 3 + np.pi * 1.5**2, rel=0.03)


def test_a_rounded_box_lacks_only_its_corners() -> None:
    box = rounded_box_coverage(20, 50, 6)
    assert box[0, 25] == 1 and box[10, 0] == 1 and box[0, 0] == 0
    assert box.sum() == pytest.approx(20 * 50 - (4 - np.pi) * 36, rel=0.01)
    np.testing.assert_array_equal(box, box[::-1, ::-1])


def test_blending_mixes_and_is_cut_off_at_the_borders() -> None:
    image = np.full((10, 10, 3), 100, dtype=np.uint8)
    blend(image, 7, -2, np.full((4, 6), 0.5, dtype=np.float32), (200, 100, 0))
    assert image[0, 8].tolist() == [150, 100, 50] and image[2, 8].tolist() == [100, 100, 100]
    blend(image, 30, 30, np.ones((4, 4), dtype=np.float32), (0, 0, 0))
    assert image[9, 9].tolist() == [100, 100, 100]


def test_text_has_the_computed_width_and_scales() -> None:
    for size in (7.0, 16.0, 41.5):
        image = np.zeros((120, 900, 3), dtype=np.uint8)
        draw_text(image, "BasicVSR ×4 27.65 dB", 10, 80, size, (255, 255, 255))
        columns = np.nonzero(image[..., 0].max(0) > 60)[0]
        assert columns[0] == pytest.approx(10, abs=1.5)
        assert columns[-1] == pytest.approx(10 + text_width("BasicVSR ×4 27.65 dB", size), abs=2)
        rows = np.nonzero(image[..., 0].max(1) > 60)[0]
        assert rows[0] == pytest.approx(80 - size, abs=0.2 * size + 1)


def test_every_printable_ascii_character_has_a_shape_of_its_own() -> None:
    shapes = {c: text_segments(c, 14, 0, 0).round(3).tobytes() for c in map(chr, range(32, 127))}
    assert set(shapes) <= set(GLYPHS)
    assert len(set(shapes.values())) == len(shapes)
    assert text_segments("Ж", 14, 0, 0).shape[1] == 4  # a box stands for the unknown


def test_glyphs_stay_within_their_width_and_line() -> None:
    for character, (width, _) in GLYPHS.items():
        segments = text_segments(character, 14, 0, 0)
        if len(segments):
            xs, ys = segments[:, [0, 2]], segments[:, [1, 3]]
            assert xs.min() >= -0.8 and xs.max() <= width + 2.4, character
            assert ys.min() >= -15.5 and ys.max() <= 4.5, character


def test_lines_outside_the_image_are_cut_off() -> None:
    image = np.zeros((10, 10, 3), dtype=np.uint8)
    draw_lines(image, np.array([[-20.0, 5.0, 30.0, 5.0]]), 2, (255, 255, 255))
    assert image[4:6].min() == 255 and image[:3].max() == 0
    draw_lines(image, np.zeros((0, 4)), 2, (9, 9, 9))
