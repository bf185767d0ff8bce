import hashlib
import hmac

import pytest

from lab.token import sign, verify


def test_a_token_verifies_for_its_own_task_only() -> None:
    token = sign(b"secret", "one")
    assert verify((b"secret",), "one", token)
    assert not verify((b"secret",), "two", token)


def test_a_token_of_another_key_or_garbage_does_not_verify() -> None:
    assert not verify((b"secret",), "one", sign(b"other", "one"))
    assert not verify((b"secret",), "one", "")
    assert not verify((b"secret",), "one", "ключ")


def test_a_token_of_a_former_key_holds() -> None:
    secrets = (b"present", b"former", b"first")
    assert [verify(secrets, "one", sign(key, "one")) for key in (*secrets, b"other")] == [True] * 3 + [False]


@pytest.mark.parametrize("length", [0, 1, 32, 64, 65, 200])
def test_a_token_is_the_hmac_of_the_standard_library(length: int) -> None:
    secret = bytes(range(200))[:length]
    assert sign(secret, "задание") == hmac.new(secret, "задание".encode(), hashlib.sha256).hexdigest()
