"""The deeds of users, one writer and a clock to turn: what needs time to pass, or a fault to happen."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from borsa.errors import Refused
from borsa.events import AccessRevoked, UserCreated, UserDeleted, UserUpdated
from borsa.requests import AccessState, DescribeAccess, Done, FindUser, IdentifyKey, Request, UserFound
from borsa.services.users.model import (
    ChangeUser,
    CloseSession,
    CreateApiKey,
    DeleteApiKey,
    DeleteUser,
    ListPublicKeys,
    OpenSession,
    RefreshSession,
    RegisterUser,
    Tokens,
)
from borsa.services.users.tokens import FILE_NAME
from borsa.settings import BadSetting
from tests.services.users.bench import HASH, Bench

NOT_EMPTY = Refused("user_not_empty", "USD 5 is left")
DAY = 86_400


def refused(bench: Bench, request: Request[Any]) -> str:
    outcome = bench.tell(request)
    assert isinstance(outcome, Refused), outcome
    return outcome.code


def refresh(bench: Bench, tokens: Tokens) -> Tokens:
    following: Tokens = bench.ask(RefreshSession(refresh_token=tokens.refresh_token))
    return following


def access(bench: Bench) -> AccessState:
    state: AccessState = bench.ask(DescribeAccess())
    return state


# the first start ---------------------------------------------------------------------------------------------------


def test_the_first_start_makes_the_admin_once(bench: Bench) -> None:
    assert bench.admin().role == "admin"
    bench.crash()
    assert [event.user_name for event in bench.happened(UserCreated)] == ["admin"]


def test_a_made_up_password_is_there_to_print_at_the_first_start_only(tmp_path: Path) -> None:
    bench = Bench(tmp_path, admin_password="")
    assert len(bench.memory.first_password) >= 15
    bench.crash()
    assert bench.memory.first_password == ""
    bench.close()


def test_a_given_password_is_not_there_to_print(bench: Bench) -> None:
    assert bench.memory.first_password == ""


@pytest.mark.parametrize("weak", ["short", "passwordpassword", "the-admin-of-this-place"])
def test_a_weak_admin_password_stops_the_start_and_is_not_repeated(tmp_path: Path, weak: str) -> None:
    with pytest.raises(BadSetting, match="BORSA_ADMIN_PASSWORD") as caught:
        Bench(tmp_path, admin_password=weak)
    assert weak not in str(caught.value)


def test_the_key_file_is_readable_by_its_owner_only_and_outlives_a_restart(bench: Bench, tmp_path: Path) -> None:
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600
    before = bench.ask(ListPublicKeys())
    bench.crash()
    assert bench.ask(ListPublicKeys()) == before


# names -------------------------------------------------------------------------------------------------------------


def test_a_name_is_taken_in_any_case_within_one_batch(bench: Bench) -> None:
    bench.user("ada")
    assert refused(bench, RegisterUser(user_name="ADA", email=None, password_hash=HASH)) == "user_name_taken"


def test_a_name_that_was_given_up_is_free(bench: Bench) -> None:
    user = bench.user("ada")
    bench.ask(ChangeUser(user_id=user.user_id, user_name="grace"))
    assert bench.user("ada").user_id != user.user_id


def test_a_user_may_change_the_case_of_the_own_name(bench: Bench) -> None:
    user = bench.user("ada")
    assert bench.ask(ChangeUser(user_id=user.user_id, user_name="Ada")).name == "Ada"


def test_a_change_that_changes_nothing_publishes_nothing(bench: Bench) -> None:
    user = bench.user("ada")
    bench.happened()
    bench.ask(ChangeUser(user_id=user.user_id, user_name="ada", email=UNSET))
    assert bench.happened(UserUpdated, AccessRevoked) == []


def test_a_refused_change_leaves_no_trace(bench: Bench) -> None:
    user, _ = bench.user("ada"), bench.user("grace")
    bench.happened()
    assert refused(bench, ChangeUser(user_id=user.user_id, user_name="Grace", email=None)) == "user_name_taken"
    assert bench.memory.users.get(user.user_id) == user
    assert bench.happened(UserUpdated) == []


# refresh tokens ----------------------------------------------------------------------------------------------------


def test_a_refresh_token_is_exchanged_for_another(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    assert refresh(bench, first).refresh_token != first.refresh_token


def test_a_repeat_within_the_grace_gets_the_same_successor(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    second = refresh(bench, first)
    bench.clock.turn(10)
    assert refresh(bench, first).refresh_token == second.refresh_token


def test_the_same_successor_comes_after_a_crash_too(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    second = refresh(bench, first)
    bench.crash()
    assert refresh(bench, first).refresh_token == second.refresh_token


def test_a_repeat_after_the_grace_ends_the_session(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    second = refresh(bench, first)
    bench.clock.turn(10.000001)
    bench.happened()
    assert refused(bench, RefreshSession(refresh_token=first.refresh_token)) == "invalid_refresh_token"
    assert refused(bench, RefreshSession(refresh_token=second.refresh_token)) == "invalid_refresh_token"
    (event,) = bench.happened(AccessRevoked)
    assert access(bench).revoked == [event.session_id]


def test_an_older_token_ends_the_session_within_the_grace_too(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    third = refresh(bench, refresh(bench, first))
    assert refused(bench, RefreshSession(refresh_token=first.refresh_token)) == "invalid_refresh_token"
    assert refused(bench, RefreshSession(refresh_token=third.refresh_token)) == "invalid_refresh_token"


def test_a_reuse_is_told_once(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    refresh(bench, refresh(bench, first))
    bench.happened()
    for _ in range(3):
        assert refused(bench, RefreshSession(refresh_token=first.refresh_token)) == "invalid_refresh_token"
    assert len(bench.happened(AccessRevoked)) == 1


@pytest.mark.parametrize("change", ["session", "generation", "mac", "empty", "huge", "newline"])
def test_a_token_that_is_not_ours_ends_nothing(bench: Bench, change: str) -> None:
    first = bench.tokens(bench.user())
    session, generation, mac = first.refresh_token.split(".")
    forged = {
        "session": f"{session[:-1]}0.{generation}.{mac}",
        "generation": f"{session}.1.{mac}",
        "mac": f"{session}.{generation}.{mac[::-1]}",
        "empty": "",
        "huge": "9" * 50_000,
        "newline": first.refresh_token + "\n",
    }[change]
    assert refused(bench, RefreshSession(refresh_token=forged)) == "invalid_refresh_token"
    refresh(bench, first)


def test_a_refresh_token_ends_after_its_life_which_each_refresh_begins_anew(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    bench.clock.turn(29 * DAY)
    second = refresh(bench, first)
    bench.clock.turn(29 * DAY)
    third = refresh(bench, second)
    bench.clock.turn(30 * DAY)
    assert refused(bench, RefreshSession(refresh_token=third.refresh_token)) == "invalid_refresh_token"


def test_a_restored_backup_does_not_take_newer_tokens(bench: Bench) -> None:
    first = bench.tokens(bench.user())
    key, session = bench.memory.keyring.signing, first.refresh_token.split(".")[0]
    ahead = key.refresh_token(session, 7)
    assert refused(bench, RefreshSession(refresh_token=ahead)) == "invalid_refresh_token"


def test_the_key_file_can_be_rotated_and_tokens_of_the_old_key_still_count(bench: Bench, tmp_path: Path) -> None:
    first = bench.tokens(bench.user())
    (old_id,) = bench.ask(ListPublicKeys()).keys
    path, other = tmp_path / FILE_NAME, tmp_path / "other"
    other.mkdir()
    fresh = Bench(other)
    fresh.close()
    path.write_bytes((other / FILE_NAME).read_bytes() + path.read_bytes())
    bench.crash()
    assert list(bench.ask(ListPublicKeys()).keys) == [bench.memory.keyring.signing.key_id, old_id]
    second = refresh(bench, first)
    assert refresh(bench, second).refresh_token != second.refresh_token


# sessions ----------------------------------------------------------------------------------------------------------


def test_a_sign_out_ends_one_session_and_is_told_once(bench: Bench) -> None:
    user = bench.user()
    one, other = bench.tokens(user), bench.tokens(user)
    bench.happened()
    for _ in range(2):
        bench.ask(CloseSession(session_id=one.refresh_token.split(".")[0]))
    assert len(bench.happened(AccessRevoked)) == 1
    assert refused(bench, RefreshSession(refresh_token=one.refresh_token)) == "invalid_refresh_token"
    refresh(bench, other)


def test_a_sign_in_fails_when_the_password_changed_after_it_was_checked(bench: Bench) -> None:
    user = bench.user()
    bench.ask(ChangeUser(user_id=user.user_id, password_hash="another"))
    request = OpenSession(user_id=user.user_id, verified_hash=HASH, new_hash=None)
    assert refused(bench, request) == "invalid_credentials"


def test_an_outdated_hash_is_replaced_at_the_sign_in(bench: Bench) -> None:
    user = bench.user()
    bench.ask(OpenSession(user_id=user.user_id, verified_hash=HASH, new_hash="newer"))
    bench.ask(OpenSession(user_id=user.user_id, verified_hash="newer", new_hash=None))


def test_an_own_new_password_ends_every_other_session(bench: Bench) -> None:
    user = bench.user()
    mine, other = bench.tokens(user), bench.tokens(user)
    session = mine.refresh_token.split(".")[0]
    bench.happened()
    change = ChangeUser(user_id=user.user_id, password_hash="new", verified_hash=HASH, kept_session_id=session)
    assert bench.ask(change).token_version == user.token_version
    refresh(bench, mine)
    assert refused(bench, RefreshSession(refresh_token=other.refresh_token)) == "invalid_refresh_token"
    told = [event.session_id for event in bench.happened(AccessRevoked)]
    assert told == [other.refresh_token.split(".")[0]]


def test_sessions_without_a_living_access_token_end_in_silence(bench: Bench) -> None:
    user = bench.user()
    old = bench.tokens(user)
    bench.clock.turn(3600)
    mine = bench.tokens(user)
    bench.happened()
    session = mine.refresh_token.split(".")[0]
    bench.ask(ChangeUser(user_id=user.user_id, password_hash="new", verified_hash=HASH, kept_session_id=session))
    assert bench.happened(AccessRevoked) == []
    assert refused(bench, RefreshSession(refresh_token=old.refresh_token)) == "invalid_refresh_token"


def test_two_password_changes_at_once_are_one(bench: Bench) -> None:
    user = bench.user()
    session = bench.tokens(user).refresh_token.split(".")[0]
    for new_hash, outcome in (("one", None), ("two", "forbidden")):
        change = ChangeUser(user_id=user.user_id, password_hash=new_hash, verified_hash=HASH, kept_session_id=session)
        if outcome is None:
            bench.ask(change)
        else:
            assert refused(bench, change) == outcome


@pytest.mark.parametrize("change", [{"role": "admin"}, {"password_hash": "set by an admin"}])
def test_a_new_role_or_a_password_set_by_an_admin_ends_every_session(bench: Bench, change: dict[str, str]) -> None:
    user = bench.user()
    tokens = bench.tokens(user)
    bench.happened()
    bench.ask(ChangeUser(user_id=user.user_id, **change))
    assert bench.happened(AccessRevoked) == [
        AccessRevoked(user_id=user.user_id, session_id=None, token_version=user.token_version + 1)
    ]
    assert access(bench).versions == {user.user_id: 1}
    assert refused(bench, RefreshSession(refresh_token=tokens.refresh_token)) == "invalid_refresh_token"


def test_what_was_revoked_longer_ago_than_a_token_lives_is_forgotten(bench: Bench) -> None:
    user, tokens = bench.user(), bench.tokens(bench.user("grace"))
    bench.ask(ChangeUser(user_id=user.user_id, role="admin"))
    bench.ask(CloseSession(session_id=tokens.refresh_token.split(".")[0]))
    state = access(bench)
    assert len(state.revoked) == 1
    assert len(state.versions) == 1
    bench.clock.turn(bench.settings.access_token_seconds + 60)
    state = access(bench)
    assert (state.revoked, state.versions) == ([], {})


def test_sessions_that_are_over_are_removed(bench: Bench) -> None:
    user = bench.user()
    signed_out, expiring = bench.tokens(user), bench.tokens(user)
    sessions = [tokens.refresh_token.split(".")[0] for tokens in (signed_out, expiring)]
    bench.ask(CloseSession(session_id=sessions[0]))
    bench.clock.turn(3600)
    bench.step()
    assert [bench.memory.sign_ins.get(each) is None for each in sessions] == [True, False]
    bench.clock.turn(31 * DAY)
    bench.step()
    assert bench.memory.sign_ins.get(sessions[1]) is None


# leaving -----------------------------------------------------------------------------------------------------------


def test_a_deleted_user_keeps_nothing_but_the_id(bench: Bench) -> None:
    user = bench.user()
    tokens = bench.tokens(user)
    key = bench.ask(CreateApiKey(user_id=user.user_id, label="bot", scopes="read", addresses=""))
    bench.happened()
    bench.ask(DeleteUser(user_id=user.user_id))
    gone = bench.memory.users.get(user.user_id)
    assert gone is not None
    assert (gone.status, gone.name, gone.name_key, gone.email) == ("deleted", f"deleted-{user.user_id}", None, None)
    assert bench.memory.passwords.get(user.user_id) is None
    assert bench.memory.api_keys.get(key.key.key_id) is None
    assert refused(bench, RefreshSession(refresh_token=tokens.refresh_token)) == "invalid_refresh_token"
    assert refused(bench, FindUser(user_id=user.user_id)) == "not_found"
    assert refused(bench, DeleteUser(user_id=user.user_id)) == "not_found"
    assert bench.user("ada").user_id != user.user_id


def test_a_deletion_says_that_the_user_is_gone_and_access_revoked(bench: Bench) -> None:
    user = bench.user()
    bench.happened()
    bench.ask(DeleteUser(user_id=user.user_id))
    assert bench.happened(UserDeleted, AccessRevoked) == [
        UserDeleted(user_id=user.user_id),
        AccessRevoked(user_id=user.user_id, session_id=None, token_version=1),
    ]


def test_a_user_with_money_stays_as_before(bench: Bench) -> None:
    user = bench.user()
    tokens = bench.tokens(user)
    bench.wallets.outcome = NOT_EMPTY
    outcome = bench.tell(DeleteUser(user_id=user.user_id))
    assert outcome is NOT_EMPTY
    bench.crash()
    found = bench.memory.users.get(user.user_id)
    assert found is not None
    assert (found.status, found.email) == ("active", user.email)
    refresh(bench, tokens)


def test_a_user_on_the_way_out_can_neither_sign_in_nor_refresh(bench: Bench) -> None:
    user = bench.user()
    tokens = bench.tokens(user)
    bench.wallets.outcome = None
    assert bench.tell(DeleteUser(user_id=user.user_id)) is None
    assert refused(bench, RefreshSession(refresh_token=tokens.refresh_token)) == "invalid_refresh_token"
    request = OpenSession(user_id=user.user_id, verified_hash=HASH, new_hash=None)
    assert refused(bench, request) == "invalid_credentials"
    assert bench.ask(FindUser(user_id=user.user_id)) == UserFound(user.user_id, "ada")


def test_a_deletion_goes_on_after_a_crash(bench: Bench) -> None:
    user = bench.user()
    bench.wallets.outcome = None
    bench.tell(DeleteUser(user_id=user.user_id))
    bench.crash()
    bench.wallets.outcome = Refused("overloaded")
    bench.clock.turn(6)
    bench.step()
    found = bench.memory.users.get(user.user_id)
    assert found is not None
    assert found.status == "closing"
    bench.wallets.outcome = Done()
    bench.clock.turn(6)
    bench.step()
    assert refused(bench, FindUser(user_id=user.user_id)) == "not_found"
    assert len(bench.happened(UserDeleted)) == 1


def test_a_deletion_that_was_interrupted_may_end_with_the_user_staying(bench: Bench) -> None:
    user = bench.user()
    bench.wallets.outcome = None
    bench.tell(DeleteUser(user_id=user.user_id))
    bench.crash()
    bench.wallets.outcome = NOT_EMPTY
    bench.clock.turn(6)
    bench.step()
    found = bench.memory.users.get(user.user_id)
    assert found is not None
    assert found.status == "active"


def test_an_overload_of_wallets_is_passed_on_and_tried_again(bench: Bench) -> None:
    user = bench.user()
    bench.wallets.outcome = Refused("overloaded")
    assert refused(bench, DeleteUser(user_id=user.user_id)) == "overloaded"
    bench.clock.turn(6)
    bench.step()
    assert bench.wallets.asked == [user.user_id] * 2


# admins ------------------------------------------------------------------------------------------------------------


def test_the_last_admin_can_neither_leave_nor_step_down(bench: Bench) -> None:
    admin = bench.admin()
    assert refused(bench, DeleteUser(user_id=admin.user_id)) == "last_admin"
    assert refused(bench, ChangeUser(user_id=admin.user_id, role="user")) == "last_admin"
    assert bench.wallets.asked == []


def test_with_a_second_admin_the_first_may_step_down(bench: Bench) -> None:
    admin, second = bench.admin(), bench.user()
    bench.ask(ChangeUser(user_id=second.user_id, role="admin"))
    assert bench.ask(ChangeUser(user_id=admin.user_id, role="user")).role == "user"
    assert refused(bench, DeleteUser(user_id=second.user_id)) == "last_admin"


def test_an_admin_on_the_way_out_does_not_count(bench: Bench) -> None:
    admin, second = bench.admin(), bench.user()
    bench.ask(ChangeUser(user_id=second.user_id, role="admin"))
    bench.wallets.outcome = None
    assert bench.tell(DeleteUser(user_id=second.user_id)) is None
    assert refused(bench, DeleteUser(user_id=admin.user_id)) == "last_admin"


# API keys ----------------------------------------------------------------------------------------------------------


def test_an_api_key_is_known_by_the_digest_of_its_secret(bench: Bench) -> None:
    user = bench.user()
    made = bench.ask(CreateApiKey(user_id=user.user_id, label="bot", scopes="read trade", addresses="192.0.2.0/24"))
    secret = made.credential.split("_", 2)[2]
    digest = hashlib.sha256(secret.encode()).digest()
    holder = bench.ask(IdentifyKey(key_id=made.key.key_id, secret_hash=digest))
    assert (holder.user_id, holder.role, holder.scopes) == (user.user_id, "user", ["read", "trade"])
    assert holder.addresses == ["192.0.2.0/24"]
    wrong = IdentifyKey(key_id=made.key.key_id, secret_hash=hashlib.sha256(b"x").digest())
    assert refused(bench, wrong) == "unauthorized"
    bench.happened()
    bench.ask(DeleteApiKey(user_id=user.user_id, key_id=made.key.key_id))
    assert [event.session_id for event in bench.happened(AccessRevoked)] == [made.key.key_id]
    assert refused(bench, IdentifyKey(key_id=made.key.key_id, secret_hash=digest)) == "unauthorized"


def test_a_user_has_so_many_api_keys_at_most(tmp_path: Path) -> None:
    bench = Bench(tmp_path, api_keys_max=2)
    user = bench.user()
    request = CreateApiKey(user_id=user.user_id, label="bot", scopes="read", addresses="")
    first = bench.ask(request)
    bench.ask(request)
    assert refused(bench, request) == "too_many_api_keys"
    bench.ask(DeleteApiKey(user_id=user.user_id, key_id=first.key.key_id))
    bench.ask(request)
    bench.close()


def test_nobody_ends_the_api_key_of_somebody_else(bench: Bench) -> None:
    ada, grace = bench.user("ada"), bench.user("grace")
    made = bench.ask(CreateApiKey(user_id=ada.user_id, label="bot", scopes="read", addresses=""))
    assert refused(bench, DeleteApiKey(user_id=grace.user_id, key_id=made.key.key_id)) == "not_found"
