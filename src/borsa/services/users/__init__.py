"""users: knows who is who, and signs the tokens that prove it. Whoever leaves takes every credential with them."""

from borsa.events import AccessRevoked, UserCreated, UserDeleted, UserUpdated
from borsa.requests import DescribeAccess, FindUser, IdentifyKey
from borsa.runtime.service import Service, Sweep
from borsa.services.users import api, handlers, model, tables
from borsa.services.users.store import Memory

USERS: Service[Memory] = Service(
    name="users",
    tables=tables.METADATA,
    memory=Memory,
    routes=api.ROUTES,
    answers={
        FindUser: handlers.find_user,
        DescribeAccess: handlers.describe_access,
        IdentifyKey: handlers.identify_key,
        model.RegisterUser: handlers.register_user,
        model.ChangeUser: handlers.change_user,
        model.DeleteUser: handlers.delete_user,
        model.OpenSession: handlers.open_session,
        model.RefreshSession: handlers.refresh_session,
        model.CloseSession: handlers.close_session,
        model.CreateApiKey: handlers.create_api_key,
        model.DeleteApiKey: handlers.delete_api_key,
        model.ListPublicKeys: handlers.list_public_keys,
    },
    consumes={},
    publishes=(UserCreated, UserUpdated, UserDeleted, AccessRevoked),
    acts=("user.changed", "user.deletion_asked", "user.deleted", "user.deletion_refused"),
    starts=(handlers.first_start,),
    sweeps=(Sweep(5, handlers.resume_deletions), Sweep(60, handlers.forget_sessions)),
)
