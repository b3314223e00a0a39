"""Fixtures for the tests of the stage."""

import time

import pytest
import torch
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def _leave_no_scope():
    """The inference functions of the hosts set the scope for good."""
    yield
    DefaultScope.get_instance(f'end-{time.time()}', scope_name='mmengine')


@pytest.fixture(autouse=True, scope='module')
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
