"""How messages to webhooks are signed, and when they are sent again."""

from __future__ import annotations

from workers.postman import ATTEMPTS, LONGEST, pause, signature


def test_signature_is_that_of_the_specifications_own_example() -> None:
    signed = signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_pauses_grow_to_an_hour_and_end_after_some_hours() -> None:
    pauses = [pause(attempts) or 0.0 for attempts in range(1, ATTEMPTS)]

    assert 0.5 <= pauses[0] <= 1
    assert all(later > earlier for earlier, later in zip(pauses[:10:2], pauses[2:12:2], strict=True))
    assert LONGEST / 2 <= max(pauses) <= LONGEST
    assert 4 * 3600 < sum(pauses) < 9 * 3600
    assert pause(ATTEMPTS) is None
