"""Who may talk to the page: its own pages, under its own name."""

import re
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from page_cases import OWN, encoded, page, pixels, sent
from starlette.testclient import TestClient

from mmdsr.page.app import STATIC, make_app
from mmdsr.page.guard import COOKIE, is_loopback


@pytest.fixture(scope='module')
def visitors(tmp_path_factory):
    with page(tmp_path_factory.mktemp('page')) as visitor:
        yield visitor


@pytest.mark.parametrize(
    ('host', 'status'),
    [
        ('127.0.0.1:8000', 200),
        ('localhost:8000', 200),
        ('LOCALHOST', 200),
        ('[::1]:8000', 200),
        ('127.0.0.1', 200),
        ('evil.example:8000', 421),
        ('127.0.0.1.evil.example', 421),
        ('localhost.evil.example', 421),
        ('192.168.1.7:8000', 421),
        ('', 421),
    ],
)
def test_on_loopback_only_its_names_are_taken(visitors, host, status):
    client = visitors()
    for path in ('/', '/api/setup', '/static/page.js'):
        response = client.get(path, headers={'Host': host})
        assert response.status_code == status
    if status == 421:
        assert 'not known by that name' in response.json()['error']


@pytest.mark.parametrize(
    ('host', 'status'),
    [
        ('192.168.1.7:8000', 200),
        ('sewers.example', 200),
        ('evil.example', 421),
    ],
)
def test_other_hosts_need_ip_addresses_or_given_names(tmp_path, host, status):
    options = dict(host='0.0.0.0', names=['Sewers.example'])
    with page(tmp_path, **options) as visitor:
        response = visitor().get('/', headers={'Host': host})
        assert response.status_code == status


@pytest.mark.parametrize(
    'headers',
    [
        {'Origin': 'http://evil.example'},
        {'Origin': 'http://127.0.0.1:9000'},
        {'Origin': 'null'},
        {'Sec-Fetch-Site': 'cross-site'},
        {'Sec-Fetch-Site': 'same-site'},
        {'X-Mmdsr': None},
    ],
)
def test_requests_of_other_pages_are_refused(visitors, headers):
    client = visitors()
    file = sent(client)
    if headers.get('X-Mmdsr', '') is None:
        headers = {}
        del client.headers['X-Mmdsr']
    for method, path in (
        ('POST', '/api/files?name=pipe.png'),
        ('POST', '/api/jobs'),
        ('DELETE', '/api/session'),
        ('DELETE', f'/api/files/{file["token"]}'),
    ):
        response = client.request(
            method, path, content=encoded(pixels()), headers=headers
        )
        assert response.status_code == 403
        assert response.json() == {
            'error': 'The request comes from another page.'
        }
    assert client.get('/api/files').json() == [file]
    own = {**OWN, 'Origin': 'http://127.0.0.1:8000'}
    path = f'/api/files/{file["token"]}'
    assert client.delete(path, headers=own).status_code == 204


def test_every_response_is_fenced_in(visitors):
    client = visitors()
    for path in ('/', '/static/page.js', '/api/setup', '/nothing'):
        headers = client.get(path).headers
        policy = headers['content-security-policy']
        assert "default-src 'none'" in policy
        assert 'unsafe' not in policy
        assert '*' not in policy
        assert headers['x-content-type-options'] == 'nosniff'
        assert headers['cross-origin-resource-policy'] == 'same-origin'
        assert headers['cache-control'] == 'no-store'
        assert 'access-control-allow-origin' not in headers
    # Neither is another page allowed to ask first.
    asked = client.options(
        '/api/files', headers={'Origin': 'http://evil.example'}
    )
    assert asked.status_code == 403


def test_the_cookie_is_out_of_reach_of_scripts(visitors):
    client = visitors()
    client.cookies.clear()
    said = client.get('/').headers['set-cookie']
    assert said.startswith(f'{COOKIE}_8000=')
    assert 'HttpOnly' in said
    assert 'SameSite=strict' in said
    # Who has one keeps it.
    assert 'set-cookie' not in client.get('/').headers


@pytest.mark.parametrize('host', ['127.0.0.1', '[::1]'])
def test_pages_on_two_ports_keep_their_sessions(tmp_path, host):
    # Browsers do not separate cookies by port, and neither does this.
    cookies, pages, visitors = CookieJar(), [], []
    for port in ('', ':8000', ':8001'):
        app = make_app(tmp_path)
        pages.append(app.state.page)
        visitor = TestClient(
            app, base_url=f'http://{host}{port}', cookies=cookies
        )
        visitor.headers.update(OWN)
        visitors.append(visitor)
        assert visitor.get('/').status_code == 200
    for visitor in visitors:
        assert visitor.get('/api/files').status_code == 200
    # One leaves; the others stay.
    assert visitors[1].delete('/api/session').status_code == 204
    codes = [one.get('/api/files').status_code for one in visitors]
    assert codes == [200, 401, 200]
    for one in pages:
        one.close()


def test_requests_without_session_are_rejected(visitors):
    client = TestClient(visitors().app, base_url='http://127.0.0.1:8000')
    client.headers.update(OWN)
    for method, path in (
        ('GET', '/api/setup'),
        ('GET', '/api/files'),
        ('POST', '/api/files?name=pipe.png'),
        ('GET', '/api/jobs'),
        ('POST', '/api/jobs'),
        ('DELETE', '/api/session'),
    ):
        response = client.request(method, path)
        assert response.status_code == 401
        assert 'reload the page' in response.json()['error']


@pytest.mark.parametrize(
    'path',
    [
        '/static/../app.py',
        '/static/%2e%2e/app.py',
        '/static/..%2fapp.py',
        '/static//etc/passwd',
        '/static/%2fetc%2fpasswd',
        '/static/..%5capp.py',
        '/api/files/..%2f..%2fapp.py/picture',
        '/api/jobs/..%2f..%2fetc/after',
        '/api/jobs/x/..%2f..%2fetc%2fpasswd',
        '/etc/passwd',
        '//etc/passwd',
    ],
)
def test_no_way_leads_out(visitors, path):
    response = visitors().get(path)
    assert response.status_code == 404
    assert 'error' in response.json()


@pytest.mark.parametrize(
    ('host', 'own'),
    [
        ('127.0.0.1', True),
        ('127.8.0.1', True),
        ('::1', True),
        ('[::1]', True),
        ('localhost', True),
        ('0.0.0.0', False),
        ('192.168.1.7', False),
        ('example', False),
    ],
)
def test_loopback_addresses(host, own):
    assert is_loopback(host) == own


def test_browser_loads_from_the_server_only():
    """Offline, without a font, a script or a count of visitors elsewhere."""
    files = sorted(Path(STATIC).iterdir())
    assert {path.suffix for path in files} == {'.html', '.css', '.js', '.svg'}
    for path in files:
        text = path.read_text(encoding='utf-8')
        addresses = re.findall(r'(?:https?:)?//[\w.-]+\.\w+[^\s"\']*', text)
        # The name of SVG's kind of XML; nobody fetches it.
        assert [
            a for a in addresses if a != 'http://www.w3.org/2000/svg'
        ] == []
        assert not re.search(r'@import|<style|\sstyle=|\son\w+=', text), path
