"""What unit tests share: OpenSSH's own tool, to compare with."""

from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture
def ssh_keygen() -> str:
    found = shutil.which("ssh-keygen")
    if found is None:
        reason = "ssh-keygen is not installed, so nothing was compared with OpenSSH (package openssh-client)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found
