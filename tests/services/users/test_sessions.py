"""Sessions with a clock to turn: refresh tokens, what ends them, and what the edge is told."""

from pathlib import Path

import pytest

from borsa.errors import Refused
from borsa.events import AccessRevoked
from borsa.requests import AccessState, DescribeAccess
from borsa.services.users.model import (
    ChangeUser,
    CloseSession,
    ListPublicKeys,
    OpenSession,
    RefreshSession,
    Tokens,
)
from borsa.services.users.tokens import FILE_NAME
from tests.services.users.bench import HASH, Bench, session_of

NOT_EMPTY = Refused("user_not_empty", "USD 5 is left")
DAY = 86_400


def refresh(bench: Bench, tokens: Tokens) -> Tokens:
    following: Tokens = bench.reply(RefreshSession(refresh_token=tokens.refresh_token))
    return following


def access(bench: Bench) -> AccessState:
    state: AccessState = bench.reply(DescribeAccess())
    return state


def test_a_refresh_token_is_exchanged_for_another(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    assert refresh(bench, first).refresh_token != first.refresh_token


def test_a_repeat_within_the_grace_gets_the_same_successor(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    second = refresh(bench, first)
    bench.clock.advance(10)
    assert refresh(bench, first).refresh_token == second.refresh_token


def test_the_same_successor_comes_after_a_crash_too(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    second = refresh(bench, first)
    bench.restart()
    assert refresh(bench, first).refresh_token == second.refresh_token


def test_a_repeat_after_the_grace_ends_the_session(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    second = refresh(bench, first)
    bench.clock.advance(11)
    bench.happened()
    assert bench.refusal(RefreshSession(refresh_token=first.refresh_token)) == "invalid_refresh_token"
    assert bench.refusal(RefreshSession(refresh_token=second.refresh_token)) == "invalid_refresh_token"
    (event,) = bench.happened(AccessRevoked)
    assert access(bench).revoked == [event.session_id]


def test_an_older_token_ends_the_session_within_the_grace_too(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    third = refresh(bench, refresh(bench, first))
    assert bench.refusal(RefreshSession(refresh_token=first.refresh_token)) == "invalid_refresh_token"
    assert bench.refusal(RefreshSession(refresh_token=third.refresh_token)) == "invalid_refresh_token"


def test_a_reuse_is_told_once(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    refresh(bench, refresh(bench, first))
    bench.happened()
    for _ in range(3):
        assert bench.refusal(RefreshSession(refresh_token=first.refresh_token)) == "invalid_refresh_token"
    assert len(bench.happened(AccessRevoked)) == 1


@pytest.mark.parametrize("change", ["session", "generation", "mac", "empty", "huge", "newline"])
def test_a_token_that_is_not_ours_ends_nothing(bench: Bench, change: str) -> None:
    first = bench.tokens(bench.user())
    session, generation, mac = first.refresh_token.split(".")
    other = "1" if session[-1] == "0" else "0"
    forged = {
        "session": f"{session[:-1]}{other}.{generation}.{mac}",
        "generation": f"{session}.1.{mac}",
        "mac": f"{session}.{generation}.{mac[::-1]}",
        "empty": "",
        "huge": "9" * 50_000,
        "newline": first.refresh_token + "\n",
    }[change]
    assert bench.refusal(RefreshSession(refresh_token=forged)) == "invalid_refresh_token"
    refresh(bench, first)


def test_a_refresh_token_ends_after_its_life_which_each_refresh_begins_anew(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    bench.clock.advance(29 * DAY)
    second = refresh(bench, first)
    bench.clock.advance(29 * DAY)
    third = refresh(bench, second)
    bench.clock.advance(30 * DAY)
    assert bench.refusal(RefreshSession(refresh_token=third.refresh_token)) == "invalid_refresh_token"


def test_a_restored_backup_does_not_take_newer_tokens(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    key, session = bench.memory.keyring.signing, session_of(first)
    ahead = key.refresh_token(session, 7)
    assert bench.refusal(RefreshSession(refresh_token=ahead)) == "invalid_refresh_token"


def test_the_key_file_can_be_rotated_and_tokens_of_the_old_key_still_count(bench: Bench, tmp_path: Path) -> None:
    first = bench.tokens(bench.user())
    (old_id,) = bench.reply(ListPublicKeys()).keys
    path, other = tmp_path / FILE_NAME, tmp_path / "other"
    other.mkdir()
    fresh = Bench(other)
    fresh.close()
    path.write_bytes((other / FILE_NAME).read_bytes() + path.read_bytes())
    bench.restart()
    assert list(bench.reply(ListPublicKeys()).keys) == [bench.memory.keyring.signing.key_id, old_id]
    second = refresh(bench, first)
    assert refresh(bench, second).refresh_token != second.refresh_token


def test_a_sign_out_ends_one_session_and_is_told_once(bench: Bench) -> None:
    user = bench.user()
    one, other = bench.tokens(user), bench.tokens(user)
    bench.happened()
    for _ in range(2):
        bench.reply(CloseSession(session_id=session_of(one)))
    assert len(bench.happened(AccessRevoked)) == 1
    assert bench.refusal(RefreshSession(refresh_token=one.refresh_token)) == "invalid_refresh_token"
    refresh(bench, other)


def test_a_sign_in_fails_when_the_password_changed_after_it_was_checked(bench: Bench) -> None:
    user = bench.user()
    bench.reply(ChangeUser(user_id=user.user_id, password_hash="another"))
    request = OpenSession(user_id=user.user_id, verified_hash=HASH, new_hash=None)
    assert bench.refusal(request) == "invalid_credentials"


def test_an_outdated_hash_is_replaced_at_the_sign_in(bench: Bench) -> None:
    user = bench.user()
    bench.reply(OpenSession(user_id=user.user_id, verified_hash=HASH, new_hash="newer"))
    bench.reply(OpenSession(user_id=user.user_id, verified_hash="newer", new_hash=None))


def test_an_own_new_password_ends_every_other_session(bench: Bench) -> None:
    user = bench.user()
    mine, other = bench.tokens(user), bench.tokens(user)
    session = session_of(mine)
    bench.happened()
    change = ChangeUser(user_id=user.user_id, password_hash="new", verified_hash=HASH, kept_session_id=session)
    assert bench.reply(change).token_version == user.token_version
    refresh(bench, mine)
    assert bench.refusal(RefreshSession(refresh_token=other.refresh_token)) == "invalid_refresh_token"
    told = [event.session_id for event in bench.happened(AccessRevoked)]
    assert told == [session_of(other)]


def test_sessions_without_a_living_access_token_end_in_silence(bench: Bench) -> None:
    user = bench.user()
    old = bench.tokens(user)
    bench.clock.advance(3600)
    mine = bench.tokens(user)
    bench.happened()
    session = session_of(mine)
    bench.reply(ChangeUser(user_id=user.user_id, password_hash="new", verified_hash=HASH, kept_session_id=session))
    assert bench.happened(AccessRevoked) == []
    assert bench.refusal(RefreshSession(refresh_token=old.refresh_token)) == "invalid_refresh_token"


def test_two_password_changes_at_once_are_one(bench: Bench) -> None:
    user = bench.user()
    session = session_of(bench.tokens(user))
    for new_hash, outcome in (("one", None), ("two", "forbidden")):
        change = ChangeUser(user_id=user.user_id, password_hash=new_hash, verified_hash=HASH, kept_session_id=session)
        if outcome is None:
            bench.reply(change)
        else:
            assert bench.refusal(change) == outcome


@pytest.mark.parametrize("change", [{"role": "admin"}, {"password_hash": "set by an admin"}])
def test_a_new_role_or_a_password_set_by_an_admin_ends_every_session(bench: Bench, change: dict[str, str]) -> None:
    user = bench.user()
    tokens = bench.tokens(user)
    bench.happened()
    bench.reply(ChangeUser(user_id=user.user_id, **change))
    assert bench.happened(AccessRevoked) == [
        AccessRevoked(user_id=user.user_id, session_id=None, token_version=user.token_version + 1)
    ]
    assert access(bench).versions == {user.user_id: 1}
    assert bench.refusal(RefreshSession(refresh_token=tokens.refresh_token)) == "invalid_refresh_token"


def test_what_was_revoked_longer_ago_than_a_token_lives_is_forgotten(bench: Bench) -> None:
    user, tokens = bench.user(), bench.tokens(bench.user("grace"))
    bench.reply(ChangeUser(user_id=user.user_id, role="admin"))
    bench.reply(CloseSession(session_id=session_of(tokens)))
    state = access(bench)
    assert len(state.revoked) == 1
    assert len(state.versions) == 1
    bench.clock.advance(bench.settings.access_token_seconds + 60)
    state = access(bench)
    assert (state.revoked, state.versions) == ([], {})


def test_sessions_that_are_over_are_removed(bench: Bench) -> None:
    user = bench.user()
    signed_out, expiring = bench.tokens(user), bench.tokens(user)
    sessions = [session_of(tokens) for tokens in (signed_out, expiring)]
    bench.reply(CloseSession(session_id=sessions[0]))
    bench.pass_time(3600)
    assert [bench.memory.sign_ins.get(each) is None for each in sessions] == [True, False]
    bench.pass_time(31 * DAY)
    assert bench.memory.sign_ins.get(sessions[1]) is None
