"""No config may fetch anything from the internet."""

import pytest


@pytest.fixture(autouse=True)
def no_download(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError('something tried to download')

    monkeypatch.setattr('torch.hub.download_url_to_file', refuse)
    monkeypatch.setattr('torch.hub.load_state_dict_from_url', refuse)
