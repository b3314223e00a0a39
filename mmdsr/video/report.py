"""Report on the frames of videos, as JSON and as one HTML page."""

import base64
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
from PIL import Image

from mmdsr.video.overlays import Box
from mmdsr.video.records import VideoRecord

T = TypeVar('T')

_WIDTH, _QUALITY = 192, 70

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;padding:1.5rem;
 max-width:1200px;color:#1c2430;background:#f6f7f9}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.2rem;border-top:1px solid
 #ccd2da;padding-top:1rem}h3{font-size:1rem;margin:1.2rem 0 .4rem}
table{border-collapse:collapse;background:#fff}
th,td{padding:.3rem .7rem;border:1px solid #dde1e7;text-align:right}
th:first-child,td:first-child{text-align:left}
.problem{background:#fdecea;border-left:4px solid #c0392b;padding:.4rem .8rem;
 margin:.4rem 0}.note{background:#fff7e0;border-left:4px solid #d69e00;
 padding:.4rem .8rem;margin:.4rem 0}
.grid{display:flex;flex-wrap:wrap;gap:.6rem}
figure{margin:0;background:#fff;border:1px solid #dde1e7;padding:.35rem}
figure img{height:96px;display:inline-block;vertical-align:top}
figure.plan{width:fit-content}figure.plan img{height:auto;max-width:100%}
figcaption{font-size:.78rem;color:#4a5568;margin-top:.2rem;max-width:19rem}
details{margin:1rem 0}code{font-size:.85em}
</style></head><body>
<h1>{{ title }}</h1>
<p>{{ total.samples }} samples of {{ total.looked_at }} frames looked at in
{{ videos|length }} videos.</p>
{% for note in notes %}<p class="note">{{ note }}</p>{% endfor %}
<table><tr><th>video</th><th>split</th><th>size</th><th>looked at</th>
<th>samples</th>{% for reason in reasons %}<th>{{ reason }}</th>{% endfor %}
<th>failures</th></tr>
{% for video in videos %}<tr><td><a href="#v{{ loop.index }}">{{ video.name
}}</a></td><td>{{ video.split or '-' }}</td><td>{% if video.framing %}{{
video.framing.size[0] }}&times;{{ video.framing.size[1] }}{% else %}-{% endif
%}</td><td>{{ video.looked_at }}</td><td>{{ video.samples|length }}</td>
{% for reason in reasons %}<td>{{ video.counts.get(reason, 0) }}</td>
{% endfor %}<td>{{ video.problems|length }}</td></tr>{% endfor %}
</table>
<details><summary>Settings</summary><pre>{{ settings }}</pre></details>
{% for video in videos %}
<h2 id="v{{ loop.index }}">{{ video.name }}</h2>
<p>{{ video.file }}{% if video.codec %}: {{ video.codec }}, {{ video.width
}}&times;{{ video.height }}{% if video.duration %}, {{
clock(video.duration) }}{% endif %}, {{
'%g'|format(video.rate|round(3)) }} frames/s; {{ video.decoded }}
frames decoded, {{ video.interlaced }} of them flagged as interlaced{% if
video.sar != 1 %}; stored samples {{ '%.4g'|format(video.sar) }} times as wide
as high{% endif %}.{% endif %}</p>
{% for problem in video.problems %}<p class="problem">At {{
clock(problem.time) }}: {{ problem.text }}</p>{% endfor %}
{% for note in video.notes %}<p class="note">{{ note }}</p>{% endfor %}
{% if video.cuts %}<p>Scene cuts at {% for cut in video.cuts[:50] %}{{
clock(cut) }}{{ ', ' if not loop.last }}{% endfor %}{{ ', …' if
video.cuts|length > 50 }}.</p>{% endif %}
{% set pictures = video.pictures %}
{% if pictures.plan %}<figure class="plan"><img alt="" src="{{ pictures.plan
}}"><figcaption>Green: used. Red: overlays.</figcaption></figure>{% endif %}
{% if pictures.samples %}<h3>Samples ({{ pictures.samples|length }} of {{
video.samples|length }} shown): frame and reference</h3><div class="grid">
{% for item in pictures.samples %}<figure><img alt="frame" src="{{ item.frame
}}">{% if item.reference %} <img alt="reference" src="{{ item.reference }}">
{% endif %}<figcaption>{{ clock(item.time) }} → {% if item.reference %}{{
clock(item.reference_time) }} ({{ '%+.2f'|format(item.reference_time -
item.time) }} s), {{ item.inliers }} matches over {{ (100 * item.spread)|round
|int }} %, size &times;{{ '%.2f'|format(item.scale) }}{% else %}no usable
reference: the enlarged low-resolution image{% endif %}</figcaption></figure>
{% endfor %}</div>{% endif %}
{% for reason, items in pictures.dropped.items() %}
<h3>Dropped, {{ reason }} ({{ items|length }} of {{ video.counts[reason] }}
shown)</h3><div class="grid">
{% for item in items %}<figure><img alt="" src="{{ item.frame }}"><figcaption>
{{ clock(item.time) }}{{ item.detail }}</figcaption></figure>{% endfor %}
</div>{% endfor %}
{% endfor %}
</body></html>
"""


def clock(seconds: float) -> str:
    """Format a time like a video player.

    Args:
        seconds: Seconds.

    Returns:
        The time as ``M:SS.ss``.
    """
    hundredths = round(seconds * 100)
    minutes, rest = divmod(hundredths, 6000)
    return f'{minutes}:{rest / 100:05.2f}'


def data_uri(image: np.ndarray, width: int = _WIDTH) -> str:
    """Create a small JPEG for embedding in a page.

    Args:
        image: ``(H, W, 3)`` uint8 RGB.
        width: Largest width in pixels.

    Returns:
        The data URI.
    """
    small = Image.fromarray(np.ascontiguousarray(image))
    small.thumbnail((width, width))
    buffer = io.BytesIO()
    small.save(buffer, format='JPEG', quality=_QUALITY)
    code = base64.b64encode(buffer.getvalue()).decode()
    return f'data:image/jpeg;base64,{code}'


def draw_plan(picture: np.ndarray, box: Box, overlays: Iterable[Box]) -> str:
    """Draw the part of a picture that is used.

    Args:
        picture: ``(H, W, 3)`` uint8 RGB.
        box: The part ``(x, y, w, h)`` that is used.
        overlays: Parts ``(x, y, w, h)`` that are avoided.

    Returns:
        The data URI of the drawing.
    """
    drawn = np.ascontiguousarray(picture).copy()
    wide = max(1, picture.shape[1] // 320)
    for (x, y, w, h), color in [
        *((overlay, (230, 40, 40)) for overlay in overlays),
        (box, (40, 220, 90)),
    ]:
        corner = int(x + w - 1), int(y + h - 1)
        cv2.rectangle(drawn, (int(x), int(y)), corner, color, wide)
    return data_uri(drawn, 640)


class Selection(Generic[T]):
    """Items that are evenly spread over a stream of unknown length.

    Args:
        limit: An even number; fewer than twice as many items are held.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.stride, self.seen = limit, 1, 0
        self.items: list[T] = []

    def offer(self, make: Callable[[], T]) -> None:
        """Add the next item if it is selected.

        Args:
            make: Function that returns the item; called only if it is
                selected.
        """
        if self.seen % self.stride == 0:
            self.items.append(make())
            if len(self.items) == 2 * self.limit:
                self.items = self.items[::2]
                self.stride *= 2
        self.seen += 1


def report_json(
    settings: Mapping[str, Any],
    videos: Sequence[VideoRecord],
    notes: Sequence[str],
) -> bytes:
    """Return the report for programs.

    Args:
        settings: Settings of the call.
        videos: Records of the videos.
        notes: Further notes for the user.

    Returns:
        The report as JSON.
    """
    plain = [
        {key: value for key, value in video.items() if key != 'pictures'}
        for video in videos
    ]
    content = {'settings': settings, 'notes': notes, 'videos': plain}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return (text + '\n').encode()


def report_html(
    title: str,
    settings: Mapping[str, Any],
    videos: Sequence[VideoRecord],
    notes: Sequence[str],
) -> bytes:
    """Return the report for people, a single self-contained page.

    Args:
        title: Heading.
        settings: How the tool was called.
        videos: Records of the videos.
        notes: What else the user should know.

    Returns:
        The report as HTML.
    """
    import jinja2  # part of the extra "video"

    page = jinja2.Environment(autoescape=True).from_string(_PAGE)
    reasons = {reason: None for video in videos for reason in video['counts']}
    total = {
        'samples': sum(len(video['samples']) for video in videos),
        'looked_at': sum(video['looked_at'] for video in videos),
    }
    text = page.render(
        title=title,
        settings=json.dumps(settings, indent=1, ensure_ascii=False),
        videos=videos,
        notes=notes,
        total=total,
        reasons=list(reasons),
        clock=clock,
    )
    return text.encode()
