"""One run of a worker: a walk over its steps that leaves events in the token issuer, the proxy and the cloud.

API calls go through the proxy too: the calls to one endpoint share one tunnel, whose sizes and times
follow from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pipelines.worlds.demo import okta, sts
from pipelines.worlds.demo.aws_api import APIS, endpoint, region_of, request_of
from pipelines.worlds.demo.chance import Chance
from pipelines.worlds.demo.clock import DAY, SECOND, date_of, start_of
from pipelines.worlds.demo.estate import MAIN, OKTA_ORG, Estate, Person, egress, server_address
from pipelines.worlds.demo.events import AwsCall, Caller, Happenings, Label, ProxyLine, Scene, Wire
from pipelines.worlds.demo.steps import Call, Chain, Range, Step, Token, Visit, WebIdentity, WorkerKind

SHARED_PROXY_USER = "svc-agents"
THROTTLES = {
    "s3": ("SlowDown", "Please reduce your request rate."),
    "dynamodb": ("ThrottlingException", "Throughput exceeds the current capacity of your table or index."),
}
_PAGED = ("s3:ListObjects", "dynamodb:Query")


@dataclass
class Tunnel:
    """A connection through the proxy that is still open."""

    opened_at: int
    used_at: int
    bytes_out: int
    bytes_in: int


class Run:
    """A run under way: `now` moves on with every step. `finish` closes its tunnels."""

    def __init__(
        self,
        into: Happenings,
        estate: Estate,
        kind: WorkerKind,
        at: int,
        chance: Chance,
        *,
        delegator: Person | None = None,
        caller: Caller | None = None,
    ) -> None:
        self.into = into
        self.estate = estate
        self.kind = kind
        self.now = at
        self.chance = chance
        self.delegator = delegator
        self.caller = caller
        self.gap: Range = (200, 2_600)
        self.load = 1.0
        self.name = f"{kind.name}-{date_of(at):%Y%m%dT%H%M%S}-{chance.hexes(4)}"
        self.ticket = f"CS-{chance.between(10_000, 99_999)}"
        self.agent = kind.agent_on((at - start_of(0)) // DAY)
        self.client = chance.pick(kind.addresses)
        self._label = Label(kind.name, f"mail:addr/{delegator.mail}" if delegator else None, self.name)
        self._tunnels: dict[tuple[str, str | None], Tunnel] = {}

    def in_incident(self, incident: str | None) -> None:
        """From here on (until called with None) what the run does belongs to an incident."""
        self._label = replace(self._label, incident=incident)

    def scene(self) -> Scene:
        return Scene(self.now, Wire(egress(self.now), self.agent), self._label, self.chance)

    def tick(self, gap: Range | None = None) -> None:
        self.now += self.chance.between(*(gap or self.gap))

    def take(self, steps: Iterable[Step]) -> Run:
        for step in steps:
            match step:
                case Call():
                    self._calls(step)
                case Visit():
                    self._visits(step)
                case Token():
                    self.token(step)
                case WebIdentity():
                    self.web_identity()
                case Chain():
                    if self.chance.happens(step.probability):
                        self.chain(step.role)
        return self

    def token(self, step: Token) -> None:
        self.tick()
        self._through(OKTA_ORG, 1_900, 3_400)
        user = self.delegator.party if step.for_user and self.delegator else None
        client = okta.client(self.kind.okta_client, self.kind.okta_name)
        self.into.okta.append(okta.token_granted(self.scene(), client, user, step.scope))

    def web_identity(self) -> None:
        self.tick()
        role = self.estate.roles[self.kind.name]
        proof = sts.Proof(self.kind.issuer or "", self.kind.subject or "", self.kind.audience)
        mail = self.delegator.mail if self.delegator else None
        name = self.kind.session_name.format(**self._words(0))
        call, session = sts.web_identity(self.scene(), role, name, proof, mail)
        self._record(call)
        self.caller = session.caller

    def chain(self, role: str) -> None:
        self.tick()
        name = self.kind.session_name.format(**self._words(0))
        calls, session = sts.assume(self.scene(), self._signer(), self.estate.roles[role], name)
        self._through(endpoint(calls[0].api, None), 1_400, 2_600)
        self.into.calls.extend(calls)
        self.caller = session.caller

    def call(
        self,
        api: str,
        resource: str | None = None,
        *,
        bytes_out: int = 0,
        bytes_in: int = 0,
        error: tuple[str, str] | None = None,
        page: str | None = None,
    ) -> AwsCall:
        """One API call by whoever the run is at present."""
        self.tick()
        signer = self._signer()
        # Of a refused management call the record does not keep the request.
        refused = error is not None and not APIS[api].data
        call = AwsCall(
            at=self.now,
            caller=signer,
            api=api,
            event_id=self.chance.uuid(),
            request_id=self.chance.s3_request_id() if api.startswith("s3:") else self.chance.uuid(),
            region=region_of(api),
            account=signer.account,
            address=egress(self.now),
            agent=self.agent,
            label=self._label,
            resource=resource,
            request=None if refused else request_of(api, resource, page),
            error=error,
            bytes_out=0 if error else bytes_out,
            bytes_in=280 if error else bytes_in,
        )
        self._record(call)
        if api == "secretsmanager:GetSecretValue" and not error:
            self._decrypted_for(call)
        return call

    def visit(
        self,
        host: str,
        bytes_out: int,
        bytes_in: int,
        path: str | None = None,
        *,
        method: str = "GET",
        mime: str = "text/html",
        shared: bool = False,
        elapsed: int | None = None,
    ) -> ProxyLine:
        """One request through the proxy that is no API call: a tunnel of its own, or plain http with a path."""
        self.tick()
        took = elapsed if elapsed is not None else self.chance.around(40, 2_500)
        self.now += took
        cached = path is not None and method == "GET" and self.chance.happens(0.05)
        line = ProxyLine(
            ended_at=self.now,
            elapsed=took if not cached else 1,
            client=self.client,
            tag="TCP_TUNNEL" if path is None else "TCP_MEM_HIT" if cached else "TCP_MISS",
            status=200,
            bytes_in=bytes_in,
            method="CONNECT" if path is None else method,
            url=f"{host}:443" if path is None else f"http://{host}{path}",
            user=SHARED_PROXY_USER if shared else self.kind.proxy_user,
            hierarchy="HIER_NONE/-" if cached else f"HIER_DIRECT/{server_address(host)}",
            mime="-" if path is None else mime,
            bytes_out=bytes_out,
            label=self._label,
        )
        self.into.lines.append(line)
        return line

    def finish(self) -> None:
        for (host, incident), tunnel in self._tunnels.items():
            closed_at = tunnel.used_at + self.chance.between(300, 5_000)
            self.into.lines.append(
                ProxyLine(
                    ended_at=closed_at,
                    elapsed=closed_at - tunnel.opened_at,
                    client=self.client,
                    tag="TCP_TUNNEL",
                    status=200,
                    bytes_in=tunnel.bytes_in,
                    method="CONNECT",
                    url=f"{host}:443",
                    user=self.kind.proxy_user,
                    hierarchy=f"HIER_DIRECT/{server_address(host)}",
                    mime="-",
                    bytes_out=tunnel.bytes_out,
                    label=replace(self._label, incident=incident),
                )
            )
        self._tunnels.clear()

    def _signer(self) -> Caller:
        if self.caller is None:
            msg = f"the run {self.name} calls AWS before it has credentials"
            raise ValueError(msg)
        return self.caller

    def _words(self, n: int) -> dict[str, object]:
        day = f"{date_of(self.now):%Y-%m-%d}"
        return {"n": n, "day": day, "run": self.name[-4:], "ticket": self.ticket, "worker": self.kind.name}

    def _calls(self, step: Call) -> None:
        if not self.chance.happens(step.probability):
            return
        page = None
        service = step.api.partition(":")[0]
        for _ in range(round(self.chance.between(*step.times) * self.load)):
            words = self._words(self.chance.between(1, 9_999))
            resource = step.resource.format(**words) if step.resource else None
            if service in THROTTLES and self.chance.happens(step.throttled):
                self.call(step.api, resource, error=THROTTLES[service], page=page)
            sent, received = self.chance.around(*step.bytes_out), self.chance.around(*step.bytes_in)
            self.call(step.api, resource, bytes_out=sent, bytes_in=received, page=page)
            page = self.chance.base64(24) if step.api in _PAGED else None

    def _visits(self, step: Visit) -> None:
        if not self.chance.happens(step.probability):
            return
        for _ in range(self.chance.between(*step.times)):
            path = step.path.format(**self._words(self.chance.between(1, 9_999))) if step.path else None
            self.visit(
                self.chance.pick(step.hosts),
                self.chance.around(*step.bytes_out) if path is None or step.method != "GET" else 310,
                self.chance.around(*step.bytes_in),
                path,
                method=step.method,
                mime=step.mime,
                shared=step.shared,
            )

    def _record(self, call: AwsCall) -> None:
        self._through(
            endpoint(call.api, call.resource),
            call.bytes_out + self.chance.between(800, 1_300),
            call.bytes_in + self.chance.between(500, 900),
        )
        self.into.calls.append(call)

    def _through(self, host: str, bytes_out: int, bytes_in: int) -> None:
        """Send bytes through the tunnel to a host, opening it where there is none."""
        place = (host, self._label.incident)
        if place not in self._tunnels:
            if self.chance.happens(0.03):
                self._challenged(host)
            opened_at = self.now - self.chance.between(60, 180)
            self._tunnels[place] = Tunnel(opened_at, self.now, self.chance.between(800, 1_100), 5_200)
        tunnel = self._tunnels[place]
        tunnel.used_at = self.now
        tunnel.bytes_out += bytes_out
        tunnel.bytes_in += bytes_in

    def _challenged(self, host: str) -> None:
        """The leg before authentication: the proxy asks who is there."""
        self.into.lines.append(
            ProxyLine(
                ended_at=self.now - 200,
                elapsed=0,
                client=self.client,
                tag="TCP_DENIED",
                status=407,
                bytes_in=4_112,
                method="CONNECT",
                url=f"{host}:443",
                user="-",
                hierarchy="HIER_NONE/-",
                mime="text/html",
                bytes_out=163,
                label=self._label,
            )
        )

    def _decrypted_for(self, outer: AwsCall) -> None:
        """Secrets Manager decrypts in the caller's name, with a key that no record issues, and past the proxy."""
        host = "secretsmanager.amazonaws.com"
        signer = self._signer()
        created_at = signer.created_at if signer.created_at is not None else outer.at // SECOND * SECOND
        caller = replace(signer, key=self.chance.aws_id("ASIA"), created_at=created_at, invoked_by=host)
        self.into.calls.append(
            replace(
                outer,
                at=outer.at + 20,
                caller=caller,
                api="kms:Decrypt",
                event_id=self.chance.uuid(),
                request_id=self.chance.uuid(),
                account=MAIN,
                address=host,
                agent=host,
                resource=self.estate.kms_key,
                request={
                    "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
                    "encryptionContext": {"SecretARN": outer.resource, "SecretVersionId": self.chance.uuid()},
                },
                bytes_in=0,
            )
        )
