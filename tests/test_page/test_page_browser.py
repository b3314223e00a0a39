"""The page in a real browser: clicks, the slider, two people at once."""

import io
import re
import shutil
import zipfile

import numpy as np
import pytest
from page_cases import encoded, pixels
from served_page import served
from video_makers import write_video

from mmdsr.dev.views import drive, texture

playwright = pytest.importorskip('playwright.sync_api')
expect = playwright.expect

BROWSERS = 'chromium', 'chromium-browser', 'google-chrome'
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason='there is no Chromium'),
]
#: For a machine that many tests share.
PATIENCE = 120_000


@pytest.fixture(scope='module')
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp('served')
    with served(folder, '--max-upload', '3') as (_, found):
        yield found


@pytest.fixture(scope='module')
def browser():
    with playwright.sync_playwright() as driver:
        # The sandbox needs rights that containers do not give.
        browser = driver.chromium.launch(
            executable_path=BROWSER, args=['--no-sandbox']
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, address):
    """Open the page as somebody new; what goes wrong in it fails the test."""
    contexts, faults, elsewhere = [], [], []

    def note(message):
        # A refusal of the server is shown as such, and tested.
        if message.type == 'error' and 'Failed to load' not in message.text:
            faults.append(message.text)

    def open_page():
        context = browser.new_context(viewport={'width': 1000, 'height': 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on('console', note)
        page.on('pageerror', lambda error: faults.append(str(error)))
        page.on('request', lambda request: elsewhere.append(request.url))
        page.goto(address)
        expect(page.locator('#limit')).to_have_text(
            'Up to 3 MB', timeout=PATIENCE
        )
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
    assert [url for url in elsewhere if not url.startswith(address)] == []


def give(page, content, name='pipe.png'):
    file = {'name': name, 'mimeType': 'x/x', 'buffer': content}
    page.set_input_files('#chosen', file)


def take(page, content, name='pipe.png'):
    """Upload a file and wait until it is there to look at."""
    give(page, content, name)
    item = page.locator('#files li.current .name', has_text=name)
    expect(item).to_be_visible(timeout=PATIENCE)
    shown(page, '#picture')


def shown(page, selector):
    """Wait until a picture is there."""
    # Not by wait_for_function: it evaluates text, which the page forbids.
    image = page.locator(selector)
    expect(image).to_have_js_property('complete', True, timeout=PATIENCE)
    expect(image).not_to_have_js_property('naturalWidth', 0)


def enlarge(page, weights='dsrnet_x_nano'):
    page.select_option('#weights', weights)
    page.click('#enlarge')
    expect(page.locator('#viewer')).to_be_visible(timeout=PATIENCE)
    shown(page, '#after')
    shown(page, '#before')


def drag(page, selector, start, end):
    """Drag over an element, from one share of its sides to another."""
    box = page.locator(selector).bounding_box()
    places = [
        (box['x'] + x * box['width'], box['y'] + y * box['height'])
        for x, y in (start, end)
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=4)
    page.mouse.up()


def look(page, selector='#stage'):
    """Take a screenshot of an element: (H, W, 3) uint8."""
    from PIL import Image

    page.locator(selector).scroll_into_view_if_needed()
    data = page.locator(selector).screenshot()
    return np.asarray(Image.open(io.BytesIO(data)).convert('RGB')).astype(int)


def test_from_a_file_to_a_download(visit, tmp_path):
    page = visit()
    take(page, encoded(pixels(64, 48)))
    enlarge(page)
    expect(page.locator('#said')).to_contain_text('256 \u00d7 192 pixels')
    expect(page.locator('#said')).to_contain_text('all detail is inferred')
    with page.expect_download() as waiting:
        page.click('text=Download')
    assert waiting.value.suggested_filename == 'pipe_dsrnet_x_nano.zip'
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert archive.testzip() is None
        assert 'pipe_dsrnet_x_nano.png.json' in archive.namelist()
    page.click('#jobs >> text=Remove')
    expect(page.locator('#viewer')).to_be_hidden()
    expect(page.locator('#jobs')).to_have_text('None yet.')


def test_the_slider_uncovers_before_and_after(visit):
    page = visit()
    take(page, encoded(pixels(64, 48)))
    enlarge(page, 'dsrnet_x_light')
    page.locator('#slider').fill('0')
    after = look(page)
    page.locator('#slider').fill('100')
    before = look(page)
    page.locator('#slider').fill('50')
    both = look(page)
    height, width = both.shape[:2]
    left, right = slice(0, width // 2 - 4), slice(width // 2 + 4, width - 4)
    rows = slice(4, height - 4)
    assert (before[rows, right] != after[rows, right]).any()
    np.testing.assert_array_equal(both[rows, left], before[rows, left])
    np.testing.assert_array_equal(both[rows, right], after[rows, right])
    # The line follows the pointer, and keys move it too.
    drag(page, '#stage', (0.5, 0.5), (0.25, 0.5))
    assert abs(float(page.input_value('#slider')) - 25) < 1.5
    page.focus('#slider')
    page.keyboard.press('End')
    assert float(page.input_value('#slider')) == 100
    np.testing.assert_array_equal(look(page), before)


def test_a_rectangle_is_drawn(visit):
    page = visit()
    take(page, encoded(pixels(128, 96)))
    drag(page, '#picture', (0.25, 0.25), (0.75, 0.75))
    said = page.text_content('#region-size')
    numbers = [int(n) for n in re.findall(r'\d+', said)]
    # Whole pixels of the source, whatever the size on the screen.
    assert np.abs(np.subtract(numbers, [64, 48, 32, 24])).max() <= 1
    enlarge(page, 'bicubic')
    size = f'{4 * numbers[0]} \u00d7 {4 * numbers[1]} pixels'
    expect(page.locator('#said')).to_contain_text(size)
    # A click without a drag, or the button, takes all again.
    page.locator('#picture').click()
    expect(page.locator('#region-size')).to_have_text('The whole picture')
    drag(page, '#picture', (0.2, 0.2), (0.8, 0.8))
    expect(page.locator('#region')).to_be_visible()
    page.click('#whole')
    expect(page.locator('#region')).to_be_hidden()


def test_a_reference_its_confidence_and_depth(visit):
    page = visit()
    large = pixels(256, 192)
    take(page, encoded(large), 'before.png')
    take(page, encoded(np.ascontiguousarray(large[::4, ::4])))
    page.select_option('#reference', label='before.png')
    enlarge(page)
    expect(page.locator('#said')).to_contain_text('Reference: before.png')
    expect(page.locator('#said')).to_contain_text('% of the picture')
    page.locator('#slider').fill('0')
    plain = look(page)
    page.select_option('#layer', 'confidence')
    expect(page.locator('#legend')).to_contain_text('inferred')
    expect(page.locator('#after')).to_have_attribute(
        'src', re.compile('confidence$')
    )
    shown(page, '#after')
    assert np.abs(look(page) - plain).mean() > 5
    assert page.locator('#layer option').count() == 2
    # These predict depth.
    page.locator('#jobs >> text=Remove').click()
    enlarge(page, 'dsrnet_student')
    page.select_option('#layer', 'depth')
    shown(page, '#after')
    expect(page.locator('#legend')).to_contain_text('Bright is near')


def test_a_frame_of_a_video_is_chosen(visit, tmp_path):
    path = tmp_path / 'drive.mp4'
    write_video(path, drive(texture(), 8, 1.03))
    page = visit()
    take(page, path.read_bytes(), 'drive.mp4')
    expect(page.locator('#frame')).to_have_attribute(
        'max', '7', timeout=PATIENCE
    )
    first = look(page, '#picture')
    page.locator('#frame').fill('4')
    expect(page.locator('#frame-name')).to_have_text('frame 4 at 0.80 s')
    page.click('#later')
    expect(page.locator('#frame-name')).to_have_text('frame 5 at 1.00 s')
    expect(page.locator('#picture')).to_have_attribute(
        'src', re.compile('number=5$')
    )
    shown(page, '#picture')
    assert np.abs(look(page, '#picture') - first).mean() > 2
    page.select_option('#reference', 'neighbors')
    enlarge(page)
    expect(page.locator('#said')).to_contain_text('drive_frame5')
    expect(page.locator('#said')).to_contain_text(
        'best of the neighboring frames'
    )


def test_wrong_files_get_a_plain_message(visit):
    page = visit()
    message = page.locator('#message')
    for content, name, text in (
        (b'no picture', 'pipe.png', 'cannot be read as a picture'),
        (
            b'<b>no</b>',
            '<img src=x onerror=alert(1)>.html',
            'does not have the suffix',
        ),
        (b'no video', 'pipe.mp4', 'cannot be read as a video'),
        (bytes(3 * 2**20 + 1), 'pipe.png', 'is too large (3 MB): 3 MB'),
    ):
        give(page, content, name)
        expect(message).to_contain_text(text, timeout=PATIENCE)
        # A name is text, whatever is in it.
        assert page.locator('#message *').count() == 0
    expect(page.locator('#files li')).to_have_count(0)
    expect(page.locator('#work')).to_be_hidden()
    # The next file that is right makes it go away.
    take(page, encoded(pixels()))
    expect(message).to_be_hidden()


def test_two_people_at_once(visit, address):
    one, other = visit(), visit()
    take(one, encoded(pixels(seed=1)), 'of_one.png')
    take(other, encoded(pixels(seed=2)), 'of_the_other.png')
    for page in (one, other):
        page.select_option('#weights', 'dsrnet_x_nano')
        page.click('#enlarge')
    for page in (one, other):
        expect(page.locator('#viewer')).to_be_visible(timeout=PATIENCE)
        shown(page, '#after')
    for page, own, foreign in (
        (one, 'of_one', 'of_the_other'),
        (other, 'of_the_other', 'of_one'),
    ):
        text = page.text_content('main')
        assert own in text
        assert foreign not in text
        expect(page.locator('#jobs li')).to_have_count(1)
    # Neither does the address of a result help somebody else.
    link = one.get_attribute('#jobs a', 'href')
    assert one.request.get(f'{address}{link}').status == 200
    assert other.request.get(f'{address}{link}').status == 404


def test_an_order_is_canceled_by_a_click(visit):
    page = visit()
    take(page, encoded(pixels(700, 500), 'JPEG'), 'large.jpg')
    page.select_option('#weights', 'dsrnet_teacher_quick')
    page.click('#enlarge')
    expect(page.locator('#jobs li')).to_contain_text(
        'enlarging', timeout=PATIENCE
    )
    expect(page.locator('#jobs progress')).to_be_visible()
    page.click('text=Cancel')
    expect(page.locator('#jobs li')).to_contain_text(
        'canceled', timeout=PATIENCE
    )
    # The next one is done.
    drag(page, '#picture', (0.4, 0.4), (0.6, 0.6))
    enlarge(page, 'bicubic')


def test_files_are_removed_by_a_click(visit):
    page = visit()
    take(page, encoded(pixels()))
    enlarge(page, 'bicubic')
    page.click('#end')
    expect(page.locator('#files li')).to_have_count(0)
    expect(page.locator('#jobs')).to_have_text('None yet.')
    expect(page.locator('#limit')).to_have_text('Up to 3 MB', timeout=PATIENCE)
    take(page, encoded(pixels()))
