"""The command ``mmdsr serve``: where it listens, and what it leaves."""

import http.client
import signal
import socket
from urllib.parse import urlsplit

import pytest
from page_cases import OWN, encoded, files_below, pixels, wait
from served_page import served

from mmdsr.cli.serve import main
from mmdsr.page.server import private_folder


class Visitor:
    """Talks to a server over a real connection."""

    def __init__(self, address):
        self.host = urlsplit(address).netloc
        headers = dict(self.ask('GET', '/')[1])
        cookie = headers['set-cookie'].partition(';')[0]
        self.headers = {**OWN, 'Cookie': cookie}

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return response.status, response.getheaders(), content

    def send(self):
        content = encoded(pixels())
        return self.ask(
            'POST', '/api/files?name=a.png', content, self.headers
        )[0]


@pytest.mark.slow
def test_large_upload_is_refused_before_it_is_sent(tmp_path):
    with served(tmp_path) as (_, address):
        visitor = Visitor(address)
        size = 200 * 2**20
        lines = [
            'POST /api/files?name=long.mp4 HTTP/1.1',
            f'Host: {visitor.host}',
            f'Content-Length: {size}',
            *(f'{key}: {value}' for key, value in visitor.headers.items()),
        ]
        host, port = visitor.host.split(':')
        with socket.create_connection((host, int(port)), 60) as connection:
            connection.sendall('\r\n'.join([*lines, '', '']).encode())
            # Not one byte of the file has been sent.
            answer = b''
            while chunk := connection.recv(65536):
                answer += chunk
        assert answer.startswith(b'HTTP/1.1 413 ')
        assert b'The file is too large: 100 MB at most.' in answer
        # Whoever sends all the same is cut off.
        with socket.create_connection((host, int(port)), 60) as connection:
            connection.sendall('\r\n'.join([*lines, '', '']).encode())
            sent, block = 0, bytes(2**16)
            try:
                while sent < size:
                    connection.sendall(block)
                    sent += len(block)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert sent < size / 2
        # All that is there is the lock.
        (folder,) = tmp_path.glob('mmdsr-page-*')
        assert [path.name for path in files_below(folder)] == ['.lock']
        assert visitor.send() == 201


@pytest.mark.slow
@pytest.mark.parametrize(
    ('number', 'code'),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_the_end_of_the_server_leaves_nothing(tmp_path, number, code):
    with served(tmp_path) as (process, address):
        assert urlsplit(address).hostname == '127.0.0.1'
        visitor = Visitor(address)
        assert visitor.send() == 201
        (folder,) = tmp_path.glob('mmdsr-page-*')
        assert len(files_below(folder)) > 1
        process.send_signal(number)
        assert process.wait(60) == code
        assert not folder.exists()


@pytest.mark.slow
def test_next_server_removes_files_of_a_killed_one(tmp_path):
    with served(tmp_path) as (process, address):
        assert Visitor(address).send() == 201
        process.kill()
        process.wait()
    (left,) = tmp_path.glob('mmdsr-page-*')
    other = tmp_path / 'mmdsr-page-of-somebody'
    other.mkdir()
    with served(tmp_path) as (process, _):
        wait(lambda: not left.exists(), timeout=10)
        # Without the file of a server, it is none.
        assert other.exists()


def test_two_servers_leave_each_other_alone(tmp_path, monkeypatch):
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    with private_folder() as one:
        with private_folder() as other:
            assert one.is_dir()
            assert other.is_dir()
            assert one.stat().st_mode & 0o077 == 0
        assert not other.exists()
        assert one.is_dir()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ('argv', 'text'),
    [
        (['--port', '70000'], '--port must be 0 to 65535, not 70000.'),
        (['--max-upload', '0'], '--max-upload must be at least 1, not 0.'),
        (['--host', '203.0.113.7'], 'is not available'),
    ],
)
def test_wrong_options_get_one_line(argv, text, capsys):
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert said.startswith(('Error: ', 'Anybody'))
    assert text in said


def test_a_port_in_use_is_named(capsys):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(['--port', port]) == 2
    said = capsys.readouterr().err
    assert f'127.0.0.1:{port} is not available' in said
    assert 'choose another --port' in said


def test_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setattr(
        'mmdsr.extras.is_there', lambda name: name != 'uvicorn'
    )
    assert main([]) == 2
    assert "pip install 'mmdsr[serve]'" in capsys.readouterr().err
