import csv
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tool_runs
from PIL import Image

from mmdsr.analysis import image_statistics as stats
from mmdsr.analysis import statistics_report as report
from mmdsr.evaluation.functional import MAX_PSNR

ROOT = Path(__file__).parents[2]


def gray(lum):
    """An RGB image of a luminance map."""
    return np.repeat(np.rint(lum).astype(np.uint8)[..., None], 3, axis=2)


def wave(frequency, height=120, width=161):
    x = np.arange(width) * frequency
    return np.tile(128 + 80 * np.sin(2 * np.pi * x), (height, 1))


def power_law(exponent, height=192, width=257, seed=0):
    """Noise whose power falls as frequency to the exponent."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(
        np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    )
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(rng.normal(size=(height, width)))
    noise = np.fft.irfft2(white * frequency ** (exponent / 2), (height, width))
    return 128 + 30 * noise / noise.std()


@pytest.mark.parametrize('value', [0, 7, 100, 255])
def test_luminance_of_grey_is_its_value(value):
    lum = stats.luminance(np.full((3, 4, 3), value, np.uint8))
    np.testing.assert_allclose(lum, value, atol=1e-9)


def test_luminance_weights_the_channels_as_bt601():
    image = np.zeros((1, 3, 3), np.uint8)
    image[0, [0, 1, 2], [0, 1, 2]] = 255
    expected = 255 * np.array([[0.299, 0.587, 0.114]])
    np.testing.assert_allclose(stats.luminance(image), expected, atol=1e-2)


def test_gradient_of_a_slope():
    y, x = np.mgrid[:20, :30]
    gradient = stats.gradient_magnitude(3.0 * x + 4.0 * y)
    assert gradient.shape == (18, 28)
    np.testing.assert_allclose(gradient, 5)


@pytest.mark.parametrize('exponent', [0, -2, -3])
def test_slope_finds_the_exponent(exponent):
    slopes = []
    # The lowest frequencies are few: one image is off by 0.1.
    for seed in range(8):
        spectrum, _ = stats.radial_spectrum(power_law(exponent, seed=seed))
        slopes.append(stats.spectral_slope(spectrum))
    assert np.mean(slopes) == pytest.approx(exponent, abs=0.1)


def test_high_share():
    # The share of the area of frequencies outside of the circle.
    _, white = stats.radial_spectrum(power_law(0))
    assert white == pytest.approx(1 - np.pi * stats.HIGH_BAND**2, abs=0.01)
    _, slow = stats.radial_spectrum(wave(0.08))
    _, fast = stats.radial_spectrum(wave(0.2))
    assert slow < 1e-3
    assert fast > 0.999


def test_high_share_does_not_see_the_border():
    # Left and right differ, which is no detail of the image.
    ramp = np.tile(np.linspace(0, 255, 160), (120, 1))
    assert stats.radial_spectrum(ramp)[1] < 1e-3


def test_spectrum_peaks_at_the_frequency_of_a_wave():
    spectrum, _ = stats.radial_spectrum(wave(0.1))
    peak = stats.SPECTRUM_FREQUENCIES[np.nanargmax(spectrum)]
    assert peak == pytest.approx(0.1, rel=0.06)


def test_spectrum_of_white_noise_is_its_variance():
    lum = np.random.default_rng(0).normal(128, 12, (240, 321))
    spectrum, _ = stats.radial_spectrum(lum)
    assert np.nanmean(spectrum[-10:]) == pytest.approx(144, rel=0.05)


def test_darkest_spot():
    lum = np.full((100, 200), 100.0)
    assert stats.darkest_spot(lum) == pytest.approx(1)
    lum[50:82, 100:132] = 0  # just as large as the window
    assert stats.darkest_spot(lum) == pytest.approx(0, abs=1e-12)
    lum[50, 100:132] = 100
    mean = lum.mean()
    assert stats.darkest_spot(lum) == pytest.approx(100 / 32 / mean, rel=1e-6)


def test_color():
    image = np.full((8, 8, 3), 60, np.uint8)
    assert stats.color(image) == (0, 1)
    image[...] = 200, 100, 50
    saturation, warmth = stats.color(image)
    assert saturation == pytest.approx(0.75)
    assert warmth == pytest.approx(201 / 51)
    image[:4] = 3, 0, 0  # too dark to have a color
    assert stats.color(image)[0] == pytest.approx(0.75)


def test_bicubic_psnr_falls_with_detail():
    values = [
        stats.bicubic_psnr(gray(power_law(exponent)))
        for exponent in (0, -2, -3)
    ]
    assert values == sorted(values)
    assert values[2] - values[0] > 6
    # Odd rows and columns are left out.
    image = gray(power_law(-2))
    assert stats.bicubic_psnr(image) == stats.bicubic_psnr(image[:192, :256])


def test_measure_shares_and_percentiles():
    lum = np.full((100, 100), 100)
    lum[:10] = 7
    lum[10:13] = 251
    found = stats.measure(gray(lum))
    assert found['black'] == pytest.approx(10)
    assert found['blown'] == pytest.approx(3)
    assert found['lum_p5'] == pytest.approx(7)
    assert found['lum_p50'] == found['lum_p95'] == pytest.approx(100)
    assert found['histogram'].sum() == pytest.approx(1)
    assert found['histogram'][1] == pytest.approx(0.1)
    assert set(stats.STATISTICS) == set(found) - {'histogram', 'spectrum'}


def test_measure_of_a_flat_image():
    found = stats.measure(np.full((64, 64, 3), 90, np.uint8))
    assert np.isnan(found['slope'])
    assert found['psnr_y'] == MAX_PSNR
    assert found['high_share'] == found['grad_mean'] == found['lum_std'] == 0


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (np.zeros((64, 64), np.uint8), r'must be \(H, W, 3\) uint8'),
        (np.zeros((64, 64, 3)), 'float64'),
        (np.zeros((70, 63, 3), np.uint8), 'at least 64x64, not 63x70'),
    ],
)
def test_measure_refuses(image, message):
    with pytest.raises(ValueError, match=message):
        stats.measure(image)


def test_summarize_averages_and_leaves_flat_images_out_of_the_slope():
    flat = np.full((64, 64, 3), 90, np.uint8)
    noise = gray(power_law(-2))[:64, :64]
    both = report.summarize('both', [flat, noise])
    alone = report.summarize('noise', [noise])
    assert both.images == 2
    assert both.values['slope'] == alone.values['slope']
    assert both.values['lum_mean'] == pytest.approx(
        (90 + alone.values['lum_mean']) / 2
    )


def sequences(*values):
    return [
        report.Sequence('s', 1, dict.fromkeys(stats.STATISTICS, float(value)))
        for value in values
    ]


def test_judge():
    verdicts = report.judge(sequences(2, 5, 3), sequences(1, 2, 4, 5, 6))
    assert set(verdicts) == set(stats.STATISTICS)
    verdict = verdicts['slope']
    assert (verdict.low, verdict.high, verdict.median) == (2, 5, 4)
    assert verdict.inside
    assert verdict.share == pytest.approx(3 / 5)
    above = report.judge(sequences(2, 5), sequences(4, 6, 7))['slope']
    assert not above.inside
    # A run without a slope is not in the range.
    flat = report.judge(sequences(2, 5), sequences(3, np.nan))['slope']
    assert (flat.median, flat.share) == (3, 0.5)


@pytest.mark.slow
def test_simulation_does_not_depend_on_the_workers():
    def values(workers):
        runs = report.measure_simulation(2, 1, 5, (64, 64), workers)
        return [(run.name, run.values['psnr_y']) for run in runs]

    one = values(1)
    assert one == values(2)
    assert one[0][1] != one[1][1]


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(size=(448, 60)), 'at least 64x64, not 448x60'),
        (dict(frames=0), 'at least 1'),
        (dict(workers=0), 'at least 1'),
        (dict(seed=-1), 'at least 0'),
    ],
)
def test_simulation_refuses(kwargs, message):
    with pytest.raises(ValueError, match=message):
        next(report.measure_simulation(1, **kwargs))


@pytest.fixture
def folder(tmp_path):
    """Two sequences of two images, one with a space in its name."""
    root = tmp_path / 'real frames'
    for place, name in enumerate(('a run', 'b')):
        (root / name).mkdir(parents=True)
        for frame in range(2):
            image = gray(power_law(-2 - place, 80, 96, frame))
            Image.fromarray(image).save(root / name / f'{frame}.png')
    return root


TOOL = 'analysis_tools/image_statistics.py'
call = partial(tool_runs.call, TOOL)


@pytest.mark.slow
def test_tool_compares_and_writes(folder, tmp_path):
    out = [tmp_path / f'out/stats{suffix}' for suffix in report.FORMATS]
    flags = [part for path in out for part in ('--out', path)]
    picture = tmp_path / 'out/plot.png'
    done = call(
        f'real={folder}',
        *('--sim-runs', 2, '--sim-frames', 1, '--size', 64, 64),
        *(*flags, '--plot', picture),
    )
    assert done.returncode == 0, done.stderr
    assert 'runs in range' in done.stdout
    lines = list(csv.DictReader(out[0].open()))
    names = [(line['group'], line['sequence']) for line in lines]
    assert names == [
        ('real', 'a-run'),
        ('real', 'b'),
        ('simulated', 'run0000'),
        ('simulated', 'run0001'),
    ]
    content = json.loads(out[1].read_text())
    verdict = content['verdicts']['slope']
    real = sorted(float(line['slope']) for line in lines[:2])
    assert [verdict['low'], verdict['high']] == pytest.approx(real, rel=1e-5)
    assert len(content['groups']['simulated'][0]['spectrum']) == 40
    assert out[2].read_text().count('\n') == 2 + len(stats.STATISTICS)
    assert min(Image.open(picture).size) > 500


def test_tool_without_simulation_has_no_verdict(folder):
    done = call(f'real={folder}')
    assert done.returncode == 0, done.stderr
    assert 'runs in range' not in done.stdout


@pytest.mark.parametrize(
    ('option', 'name'), [('--out', 'stats.md'), ('--plot', 'plot.png')]
)
def test_tool_shows_what_it_cannot_write(folder, tmp_path, option, name):
    file = tmp_path / 'file'
    file.touch()
    done = call(f'real={folder}', option, file / name)
    assert done.returncode == 2
    assert 'slope' in done.stdout
    assert name in done.stderr.splitlines()[-1]
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        ([], 'give NAME=FOLDER'),
        (['folder'], 'must be NAME=FOLDER'),
        (['a=missing'], 'There is no folder missing'),
        (['--sim-runs', 1, '--out', 'x.xls'], 'must end in one of'),
    ],
)
def test_tool_refuses(args, message):
    done = call(*args)
    assert done.returncode == 2
    assert message in done.stderr
    assert 'Traceback' not in done.stderr


def test_tool_names_the_broken_image(folder, tmp_path):
    broken = folder / 'b/1.png'
    broken.write_bytes(broken.read_bytes()[:200])
    out = tmp_path / 'stats.md'
    done = call(f'real={folder}', '--out', out)
    assert done.returncode == 2
    assert '1.png' in done.stderr
    assert 'Traceback' not in done.stderr
    assert not out.exists()
