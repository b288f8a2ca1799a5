"""What happens at the company's token issuer: tokens for clients and for users, sign-ins, clients switched off."""

from __future__ import annotations

from pipelines.worlds.demo.clock import HOUR, date_of
from pipelines.worlds.demo.estate import OKTA_SERVER, Person
from pipelines.worlds.demo.events import Json, OktaEvent, Party, Scene

CLIENT_CREDENTIALS = "client_credentials"
ON_BEHALF = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SERVER = Party(OKTA_SERVER, "AuthorizationServer", None, "workers")
_TOKEN_URL = f"/oauth2/{OKTA_SERVER}/v1/token"


def client(client_id: str, name: str) -> Party:
    """An OAuth client as an actor."""
    return Party(client_id, "PublicClientApp", client_id, name)


def _event(scene: Scene, event_type: str, message: str, actor: Party, targets: tuple[Party, ...]) -> OktaEvent:
    return OktaEvent(
        at=scene.at,
        uuid=scene.chance.uuid(),
        event_type=event_type,
        message=message,
        actor=actor,
        targets=targets,
        address=scene.wire.address,
        agent=scene.wire.agent,
        transaction=scene.chance.base62(24),
        label=scene.label,
    )


def token_granted(scene: Scene, actor: Party, user: Party | None, scope: str) -> OktaEvent:
    """An access token of the custom authorization server, for the client itself or on behalf of a user."""
    detail: Json = {
        "expires": f"{date_of(scene.at + HOUR):%Y-%m-%dT%H:%M:%S}.000Z",
        "subject": user.alternate_id if user else actor.id,
        "hash": scene.chance.base62(22),
    }
    token = Party(f"AT.{scene.chance.base62(43)}", "access_token", None, "Access Token", detail)
    targets = (user, token, _SERVER) if user else (token, _SERVER)
    granted = "app.oauth2.as.token.grant.access_token"
    event = _event(scene, granted, "OAuth2 access token is granted", actor, targets)
    event.client_id = actor.id
    event.debug = {
        "clientAuthType": "private_key_jwt",
        "grantType": ON_BEHALF if user else CLIENT_CREDENTIALS,
        "requestedScopes": scope,
        "grantedScopes": scope,
        "requestUri": _TOKEN_URL,
        "url": f"{_TOKEN_URL}?",
        "threatSuspected": "false",
    }
    return event


def token_refused(scene: Scene, actor: Party, reason: str) -> OktaEvent:
    """A token that the issuer did not give."""
    event = _event(scene, "app.oauth2.as.token.grant", "OAuth2 token request", actor, (_SERVER,))
    event.result, event.reason, event.client_id = "FAILURE", reason, actor.id
    event.debug = {"grantType": CLIENT_CREDENTIALS, "requestUri": _TOKEN_URL, "url": f"{_TOKEN_URL}?"}
    return event


def signed_in(scene: Scene, person: Person, failed: bool = False) -> OktaEvent:
    """A person starts a session, or gets the password wrong."""
    event = _event(scene, "user.session.start", "User login to Okta", person.party, ())
    if failed:
        event.result, event.reason = "FAILURE", "INVALID_CREDENTIALS"
    else:
        event.session = f"102{scene.chance.base62(22)}"
    event.debug = {"requestUri": "/idp/idx/identify", "url": "/idp/idx/identify?", "threatSuspected": "false"}
    return event


def opened_app(scene: Scene, person: Person, app: tuple[str, str], session: str | None) -> OktaEvent:
    """A person opens an application by single sign-on."""
    target = Party(app[0], "AppInstance", app[1], app[1])
    event = _event(scene, "user.authentication.sso", "User single sign on to app", person.party, (target,))
    event.session = session
    event.debug = {"requestUri": f"/app/{app[0]}/sso/saml", "url": f"/app/{app[0]}/sso/saml?"}
    return event


def client_switched_off(scene: Scene, by: Person, old: Party) -> list[OktaEvent]:
    """An administrator deactivates an OAuth client; Okta tells it of the client and of its application."""
    kinds = (
        ("app.oauth2.client.lifecycle.deactivate", "OAuth2 client deactivated", "PublicClientApp"),
        ("application.lifecycle.deactivate", "Deactivate application", "AppInstance"),
    )
    return [
        _event(scene, event_type, message, by.party, (Party(old.id, kind, old.display_name, old.display_name),))
        for event_type, message, kind in kinds
    ]
