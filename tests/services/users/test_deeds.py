"""The deeds of users: the first start, names, leaving, admins, API keys."""

from pathlib import Path

import pytest

from borsa.errors import Refused
from borsa.events import AccessRevoked, UserCreated, UserDeleted, UserUpdated
from borsa.requests import AccessState, DescribeAccess, Done, FindUser, IdentifyKey, UserFound
from borsa.services.users.model import (
    ChangeUser,
    CreateApiKey,
    DeleteApiKey,
    DeleteUser,
    ListPublicKeys,
    OpenSession,
    RefreshSession,
    RegisterUser,
    Tokens,
    User,
)
from borsa.services.users.tokens import FILE_NAME
from borsa.settings import BadSetting
from tests.services.users.bench import HASH, Bench

NOT_EMPTY = Refused("user_not_empty", "USD 5 is left")
DAY = 86_400


def refresh(bench: Bench, tokens: Tokens) -> Tokens:
    following: Tokens = bench.reply(RefreshSession(refresh_token=tokens.refresh_token))
    return following


def access(bench: Bench) -> AccessState:
    state: AccessState = bench.reply(DescribeAccess())
    return state


def test_the_first_start_makes_the_admin_once(bench: Bench) -> None:
    assert bench.admin().role == "admin"
    bench.restart()
    assert [event.user_name for event in bench.happened(UserCreated)] == ["admin"]


def test_a_made_up_password_is_there_to_print_at_the_first_start_only(tmp_path: Path) -> None:
    bench = Bench(tmp_path, admin_password="")
    assert len(bench.memory.first_password) >= 15
    bench.restart()
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
    before = bench.reply(ListPublicKeys())
    bench.restart()
    assert bench.reply(ListPublicKeys()) == before


def test_a_name_is_taken_in_any_case_within_one_batch(bench: Bench) -> None:
    bench.user("ada")
    assert bench.refusal(RegisterUser(user_name="ADA", email=None, password_hash=HASH)) == "user_name_taken"


def test_a_name_that_was_given_up_is_free(bench: Bench) -> None:
    user = bench.user("ada")
    bench.reply(ChangeUser(user_id=user.user_id, user_name="grace"))
    assert bench.user("ada").user_id != user.user_id


def test_a_user_may_change_the_case_of_the_own_name(bench: Bench) -> None:
    user = bench.user("ada")
    assert bench.reply(ChangeUser(user_id=user.user_id, user_name="Ada")).name == "Ada"


def test_a_change_that_changes_nothing_publishes_nothing(bench: Bench) -> None:
    user = bench.user("ada")
    bench.happened()
    bench.reply(ChangeUser(user_id=user.user_id, user_name="ada"))
    assert bench.happened(UserUpdated, AccessRevoked) == []


def test_a_refused_change_leaves_no_trace(bench: Bench) -> None:
    user, _ = bench.user("ada"), bench.user("grace")
    bench.happened()
    assert bench.refusal(ChangeUser(user_id=user.user_id, user_name="Grace", email="")) == "user_name_taken"
    assert bench.memory.users.get(user.user_id) == user
    assert bench.happened(UserUpdated) == []


def test_a_deleted_user_keeps_nothing_but_the_id(bench: Bench) -> None:
    user = bench.user()
    tokens = bench.tokens(user)
    key = bench.reply(a_key(user))
    bench.happened()
    bench.reply(DeleteUser(user_id=user.user_id))
    gone = bench.now(user)
    assert (gone.status, gone.name, gone.name_key, gone.email) == ("deleted", f"deleted-{user.user_id}", None, None)
    assert bench.memory.passwords.get(user.user_id) is None
    assert bench.memory.api_keys.get(key.key_id) is None
    assert bench.refusal(RefreshSession(refresh_token=tokens.refresh_token)) == "invalid_refresh_token"
    assert bench.refusal(FindUser(user_id=user.user_id)) == "not_found"
    assert bench.refusal(DeleteUser(user_id=user.user_id)) == "not_found"
    assert bench.user("ada").user_id != user.user_id


def test_a_deletion_says_that_the_user_is_gone_and_access_revoked(bench: Bench) -> None:
    user = bench.user()
    bench.happened()
    bench.reply(DeleteUser(user_id=user.user_id))
    assert bench.happened(UserDeleted, AccessRevoked) == [
        UserDeleted(user_id=user.user_id),
        AccessRevoked(user_id=user.user_id, session_id=None, token_version=1),
    ]


def test_a_user_with_money_stays_as_before(bench: Bench) -> None:
    user = bench.user()
    tokens = bench.tokens(user)
    bench.wallets = NOT_EMPTY
    assert bench.say(DeleteUser(user_id=user.user_id)) is NOT_EMPTY
    bench.restart()
    found = bench.now(user)
    assert (found.status, found.email) == ("active", user.email)
    refresh(bench, tokens)


def test_a_user_on_the_way_out_can_neither_sign_in_nor_refresh(bench: Bench) -> None:
    user = bench.user()
    tokens = bench.tokens(user)
    bench.wallets = None
    bench.begin(DeleteUser(user_id=user.user_id))
    assert bench.refusal(RefreshSession(refresh_token=tokens.refresh_token)) == "invalid_refresh_token"
    request = OpenSession(user_id=user.user_id, verified_hash=HASH, new_hash=None)
    assert bench.refusal(request) == "invalid_credentials"
    assert bench.reply(FindUser(user_id=user.user_id)) == UserFound(user.user_id, "ada")


def test_a_deletion_goes_on_after_a_crash(bench: Bench) -> None:
    user = bench.user()
    bench.wallets = None
    bench.begin(DeleteUser(user_id=user.user_id))
    bench.restart()
    bench.wallets = Refused("overloaded")
    bench.pass_time(6)
    assert bench.now(user).status == "closing"
    bench.wallets = Done()
    bench.pass_time(6)
    assert bench.refusal(FindUser(user_id=user.user_id)) == "not_found"
    assert len(bench.happened(UserDeleted)) == 1


def test_a_deletion_that_was_interrupted_may_end_with_the_user_staying(bench: Bench) -> None:
    user = bench.user()
    bench.wallets = None
    bench.begin(DeleteUser(user_id=user.user_id))
    bench.restart()
    bench.wallets = NOT_EMPTY
    bench.pass_time(6)
    assert bench.now(user).status == "active"


def test_an_overload_of_wallets_is_passed_on_and_tried_again(bench: Bench) -> None:
    user = bench.user()
    bench.wallets = Refused("overloaded")
    assert bench.refusal(DeleteUser(user_id=user.user_id)) == "overloaded"
    bench.pass_time(6)
    assert bench.wallets_asked == [user.user_id] * 2


def test_an_attempt_to_leave_has_one_key_however_often_wallets_is_asked(bench: Bench) -> None:
    """What wallets refused once it refuses again: a question that comes late closes nothing of a user who stayed."""
    user = bench.user()
    bench.wallets = Refused("overloaded")
    bench.refusal(DeleteUser(user_id=user.user_id))
    bench.refusal(DeleteUser(user_id=user.user_id))
    bench.pass_time(6)
    assert bench.refusal(ChangeUser(user_id=user.user_id, user_name="grace")) == "overloaded"
    bench.restart()
    bench.wallets = NOT_EMPTY
    bench.pass_time(6)
    assert len(bench.keys) == 4
    assert len({*bench.keys}) == 1
    bench.refusal(DeleteUser(user_id=user.user_id))
    assert bench.keys[-1] not in bench.keys[:-1]


def test_the_last_admin_can_neither_leave_nor_step_down(bench: Bench) -> None:
    admin = bench.admin()
    assert bench.refusal(DeleteUser(user_id=admin.user_id)) == "last_admin"
    assert bench.refusal(ChangeUser(user_id=admin.user_id, role="user")) == "last_admin"
    assert bench.wallets_asked == []


def test_with_a_second_admin_the_first_may_step_down(bench: Bench) -> None:
    admin, second = bench.admin(), bench.user()
    bench.reply(ChangeUser(user_id=second.user_id, role="admin"))
    assert bench.reply(ChangeUser(user_id=admin.user_id, role="user")).role == "user"
    assert bench.refusal(DeleteUser(user_id=second.user_id)) == "last_admin"


def test_an_admin_on_the_way_out_does_not_count(bench: Bench) -> None:
    admin, second = bench.admin(), bench.user()
    bench.reply(ChangeUser(user_id=second.user_id, role="admin"))
    bench.wallets = None
    bench.begin(DeleteUser(user_id=second.user_id))
    assert bench.refusal(DeleteUser(user_id=admin.user_id)) == "last_admin"


def a_key(user: User, **more: str) -> CreateApiKey:
    given = {"label": "bot", "scopes": "read", "addresses": "", "kind": "bearer"} | more
    return CreateApiKey(user_id=user.user_id, verifier=b"what proves it", **given)


def test_the_edge_is_told_whose_an_api_key_is_and_what_proves_it(bench: Bench) -> None:
    user = bench.user()
    made = bench.reply(a_key(user, scopes="read trade", addresses="192.0.2.0/24", kind="hmac"))
    holder = bench.reply(IdentifyKey(key_id=made.key_id))
    assert (holder.user_id, holder.role, holder.scopes) == (user.user_id, "user", ["read", "trade"])
    assert (holder.addresses, holder.kind, holder.verifier) == (["192.0.2.0/24"], "hmac", b"what proves it")
    assert bench.refusal(IdentifyKey(key_id=user.user_id)) == "unauthorized"
    bench.happened()
    bench.reply(DeleteApiKey(user_id=user.user_id, key_id=made.key_id))
    assert [event.session_id for event in bench.happened(AccessRevoked)] == [made.key_id]
    assert bench.refusal(IdentifyKey(key_id=made.key_id)) == "unauthorized"


def test_an_api_key_of_somebody_on_the_way_out_is_nobodys(bench: Bench) -> None:
    user = bench.user()
    made = bench.reply(a_key(user))
    bench.wallets = None
    bench.begin(DeleteUser(user_id=user.user_id))
    assert bench.refusal(IdentifyKey(key_id=made.key_id)) == "unauthorized"


def test_a_user_has_so_many_api_keys_at_most(tmp_path: Path) -> None:
    bench = Bench(tmp_path, api_keys_max=2)
    user = bench.user()
    request = a_key(user)
    first = bench.reply(request)
    bench.reply(request)
    assert bench.refusal(request) == "too_many_api_keys"
    bench.reply(DeleteApiKey(user_id=user.user_id, key_id=first.key_id))
    bench.reply(request)
    bench.close()


def test_nobody_ends_the_api_key_of_somebody_else(bench: Bench) -> None:
    ada, grace = bench.user("ada"), bench.user("grace")
    made = bench.reply(a_key(ada))
    assert bench.refusal(DeleteApiKey(user_id=grace.user_id, key_id=made.key_id)) == "not_found"
