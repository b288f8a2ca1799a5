/*---
id: credential_replay
version: 1
title: One credential used by two parties at once
description: >
  Within 30 minutes a credential (or a session of several credentials) was used from one network and client, then
  from another network and another client, then from the first again, and one of the networks is neither declared
  for the worker nor known: the worker acted from it on fewer than three earlier days. Where networks are declared,
  the same client from a network outside them is enough. Networks are /24 (IPv4) and /48 (IPv6); a client is the
  product name before the version in the user agent.
severity: critical
tags:
  - owasp.nhi2
  - owasp.asi03
  - maestro.agent-identity-attack
  - maestro.agent-impersonation
  - nist.ai-rmf.measure-2.7
  - attack.t1078.004
  - attack.t1528
  - attack.t1550.001
  - atlas.aml.t0091.000
look_alikes:
  - case: a deployment that changes the address and the client for good
    separated_by: the first network and client do not come back
  - case: a host with IPv4 and IPv6, or with an endpoint inside and a gateway outside
    separated_by: networks from which the worker acted on three earlier days are known
  - case: a pool of gateways that takes turns
    separated_by: the pool is declared, or the client stays the same
  - case: a worker that uses two libraries from one place
    separated_by: the network stays the same
  - case: a service that calls on behalf of the worker
    separated_by: such records have no address
  - case: a shared proxy user
    separated_by: it is a principal; only credentials and sessions are watched here
tests:
  - name: a stolen session key is used while its owner goes on
    actions:
      - {credential_uid: "aws:key/ASIA1", src_ip: 192.0.2.10, user_agent: Boto3/1.34 md/Botocore, time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/ASIA1", src_ip: 203.0.113.7, user_agent: aws-cli/2.15.1 md/awscrt, time: 2026-03-02T10:05:00}
      - {credential_uid: "aws:key/ASIA1", src_ip: 192.0.2.11, user_agent: "[Boto3/1.35]", time: 2026-03-02T10:10:00}
      - {credential_uid: "aws:key/ASIA1", src_ip: 203.0.113.7, user_agent: aws-cli/2.15.1, time: 2026-03-02T11:00:00}
    networks: [{cidr: 192.0.2.0/24}]
    expected:
      - {worker: w1, severity: critical, entity: "aws:key/ASIA1", evidence: [a1, a2, a3], title: [w1, "aws:key/ASIA1", 203.0.113.0/24], explanation: [aws-cli, boto3]}
  - name: the thief makes the owner's one call fall between two of his own, over IPv6
    actions:
      - {credential_uid: oauth:token/idp.example#t, src_ip: "2001:db8:9::1", user_agent: curl/8.5, time: 2026-03-02T10:00:00}
      - {credential_uid: oauth:token/idp.example#t, src_ip: "2001:db8:1:2::5", user_agent: python-requests/2.32, time: 2026-03-02T10:00:10}
      - {credential_uid: oauth:token/idp.example#t, src_ip: "2001:DB8:9:0:77::2", user_agent: curl/8.5, time: 2026-03-02T10:20:00}
    networks: [{cidr: "2001:db8:1::/48"}]
    expected: [{worker: w1, severity: critical, entity: oauth:token/idp.example#t, title: ["2001:db8:9::/48"]}]
  - name: the thief imitates the client, but the network is outside the declared ones
    actions:
      - {credential_uid: "aws:key/ASIA1", src_ip: 10.40.1.1, user_agent: Boto3/1.34, time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/ASIA1", src_ip: 203.0.113.7, user_agent: Boto3/1.34, time: 2026-03-02T10:05:00}
      - {credential_uid: "aws:key/ASIA1", src_ip: 10.40.1.1, user_agent: Boto3/1.34, time: 2026-03-02T10:10:00}
    networks: [{cidr: 10.40.0.0/16}]
    expected: [{worker: w1, severity: critical, entity: "aws:key/ASIA1", evidence: [a1, a2, a3]}]
  - name: the refreshed tokens of one stolen session, of nobody known
    actions:
      - {worker: null, principal: okta:user/org.example/u1, session_uid: okta:session/org.example/s1, credential_uid: oauth:token/idp.example#1, src_ip: 192.0.2.1, user_agent: agent/1, time: 2026-03-02T10:00:00}
      - {worker: null, principal: okta:user/org.example/u1, session_uid: okta:session/org.example/s1, credential_uid: oauth:token/idp.example#2, src_ip: 198.51.100.1, user_agent: Go-http-client/2.0, time: 2026-03-02T10:01:00}
      - {worker: null, principal: okta:user/org.example/u1, session_uid: okta:session/org.example/s1, credential_uid: oauth:token/idp.example#3, src_ip: 192.0.2.1, user_agent: agent/1, time: 2026-03-02T10:02:00}
    expected: [{worker: null, severity: critical, entity: okta:session/org.example/s1, title: ["okta:user/org.example/u1"]}]
  - name: a deployment changes client and address once
    actions:
      - {credential_uid: "aws:key/AKIA1", src_ip: 192.0.2.1, user_agent: Boto3/1.34, time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 192.0.2.1, user_agent: Boto3/1.34, time: 2026-03-02T10:05:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 203.0.113.1, user_agent: aws-sdk-go-v2/1.30, time: 2026-03-02T10:06:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 203.0.113.1, user_agent: aws-sdk-go-v2/1.30, time: 2026-03-02T10:09:00}
    expected: []
  - name: two addresses of one host that were seen together on many days
    actions:
      - {credential_uid: "aws:key/AKIA1", src_ip: 192.0.2.1, user_agent: Boto3/1, time: 2026-02-27T10:00:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: "2001:db8::1", user_agent: aws-cli/2, time: 2026-02-27T12:00:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 192.0.2.1, user_agent: Boto3/1, time: 2026-02-28T10:00:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: "2001:db8::1", user_agent: aws-cli/2, time: 2026-02-28T12:00:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 192.0.2.1, user_agent: Boto3/1, time: 2026-03-01T10:00:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: "2001:db8::1", user_agent: aws-cli/2, time: 2026-03-01T12:00:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 192.0.2.1, user_agent: Boto3/1, time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: "2001:db8::1", user_agent: aws-cli/2, time: 2026-03-02T10:01:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 192.0.2.1, user_agent: Boto3/1, time: 2026-03-02T10:02:00}
    expected: []
  - name: a pool of gateways inside the declared network
    actions:
      - {credential_uid: "aws:key/AKIA1", src_ip: 198.51.100.1, user_agent: Boto3/1, time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 198.51.101.1, user_agent: aws-cli/2, time: 2026-03-02T10:01:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 198.51.100.1, user_agent: Boto3/1, time: 2026-03-02T10:02:00}
    networks: [{cidr: 198.51.100.0/23}]
    expected: []
  - name: one client behind changing gateways, nothing declared; two libraries in one place
    actions:
      - {credential_uid: "aws:key/AKIA1", src_ip: 198.51.100.1, user_agent: Boto3/1.34, time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 203.0.113.1, user_agent: Boto3/1.35, time: 2026-03-02T10:01:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 198.51.100.1, user_agent: Boto3/1.34, time: 2026-03-02T10:02:00}
      - {credential_uid: "aws:key/AKIA2", src_ip: 198.51.100.1, user_agent: Boto3/1.34, time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/AKIA2", src_ip: 198.51.100.9, user_agent: Terraform/1.9, time: 2026-03-02T10:01:00}
      - {credential_uid: "aws:key/AKIA2", src_ip: 198.51.100.1, user_agent: Boto3/1.34, time: 2026-03-02T10:02:00}
    expected: []
  - name: a service calls on behalf, by no address; a shared proxy user is no credential
    actions:
      - {credential_uid: "aws:key/ASIA1", src_ip: 192.0.2.1, user_agent: Boto3/1, time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/ASIA1", src_ip: null, user_agent: cloudformation.amazonaws.com, time: 2026-03-02T10:01:00}
      - {credential_uid: "aws:key/ASIA1", src_ip: 192.0.2.1, user_agent: Boto3/1, time: 2026-03-02T10:02:00}
      - {category: proxy, principal: proxy:user/egress/svc, src_ip: 10.0.0.1, user_agent: curl/8, time: 2026-03-02T10:00:00}
      - {category: proxy, principal: proxy:user/egress/svc, src_ip: 10.9.0.1, user_agent: agent/1, time: 2026-03-02T10:01:00}
      - {category: proxy, principal: proxy:user/egress/svc, src_ip: 10.0.0.1, user_agent: curl/8, time: 2026-03-02T10:02:00}
    expected: []
  - name: uses that are an hour apart, and calls that never proved to hold the credential
    actions:
      - {credential_uid: "aws:key/AKIA1", src_ip: 192.0.2.1, user_agent: Boto3/1, time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 203.0.113.1, user_agent: curl/8, time: 2026-03-02T10:30:00}
      - {credential_uid: "aws:key/AKIA1", src_ip: 192.0.2.1, user_agent: Boto3/1, time: 2026-03-02T11:00:00}
      - {credential_uid: "aws:key/AKIA2", src_ip: 192.0.2.1, user_agent: Boto3/1, time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/AKIA2", src_ip: 203.0.113.1, user_agent: curl/8, time: 2026-03-02T10:01:00, status: failure, identity_strength: asserted}
      - {credential_uid: "aws:key/AKIA2", src_ip: 192.0.2.1, user_agent: Boto3/1, time: 2026-03-02T10:02:00}
    expected: []
---*/

WITH proved AS (
    -- actions from an address by somebody who proved to hold a credential or session, with network and client
    SELECT
        a.action_uid, a.worker, a.principal, coalesce(a.worker, a.principal) AS actor, a.manifest_sha,
        a.credential_uid, a.session_uid, a.time, a.src_ip, p.network,
        nullif(lower(split_part(split_part(ltrim(a.user_agent, '[" '), '/', 1), ' ', 1)), '') AS client
    FROM attributed AS a
    JOIN addresses AS p ON p.src_ip = a.src_ip
    WHERE (a.credential_uid IS NOT NULL OR a.session_uid IS NOT NULL)
        AND NOT (coalesce(a.identity_strength, 'proven') = 'asserted' AND a.status IN ('failure', 'denied'))
),
wide_sessions AS (
    -- sessions with other than exactly one credential: only these say more than their credential does
    SELECT session_uid FROM proved WHERE session_uid IS NOT NULL
    GROUP BY session_uid
    HAVING min(coalesce(credential_uid, '')) <> max(coalesce(credential_uid, ''))
        OR max(coalesce(credential_uid, '')) = ''
),
wandering AS (
    -- credentials and such sessions that were used from more than one network
    SELECT uid FROM (
        SELECT credential_uid AS uid, network FROM proved WHERE credential_uid IS NOT NULL
        UNION
        SELECT p.session_uid AS uid, p.network FROM proved AS p JOIN wide_sessions AS w ON w.session_uid = p.session_uid
    ) AS seen
    GROUP BY uid HAVING count(*) > 1
),
uses AS (
    -- every use of them
    SELECT w.uid, p.* FROM proved AS p JOIN wandering AS w ON w.uid = p.credential_uid
    UNION ALL
    SELECT w.uid, p.* FROM proved AS p JOIN wandering AS w ON w.uid = p.session_uid
    WHERE p.credential_uid IS NULL OR p.credential_uid <> p.session_uid
),
known_days AS (
    -- the days on which such an actor acted from a network, with how many such days went before
    SELECT actor, network, day, row_number() OVER (PARTITION BY actor, network ORDER BY day) - 1 AS earlier
    FROM (
        SELECT DISTINCT coalesce(a.worker, a.principal) AS actor, p.network, CAST(a.time AS DATE) AS day
        FROM attributed AS a
        JOIN addresses AS p ON p.src_ip = a.src_ip
        JOIN (SELECT DISTINCT actor FROM uses) AS u ON u.actor = coalesce(a.worker, a.principal)
    ) AS days
),
declared AS (
    -- the addresses of those uses that lie in a network declared by the manifest in force
    SELECT DISTINCT u.worker, u.manifest_sha, u.src_ip
    FROM (SELECT DISTINCT worker, manifest_sha, src_ip FROM uses) AS u
    JOIN addresses AS p ON p.src_ip = u.src_ip
    JOIN networks AS n
        ON n.worker = u.worker AND n.manifest_sha = u.manifest_sha
        AND n.family = p.family AND p.hexadecimal BETWEEN n.low AND n.high
),
weighed AS (
    -- the uses with whether the network is strange (not declared, not known) or outside the declared ones
    SELECT
        u.*,
        d.src_ip IS NULL AND coalesce(k.earlier, 0) < 3 AS is_strange,
        d.src_ip IS NULL AND n.worker IS NOT NULL AS is_outside,
        n.worker IS NOT NULL AS is_bounded
    FROM uses AS u
    LEFT JOIN known_days AS k ON k.actor = u.actor AND k.network = u.network AND k.day = CAST(u.time AS DATE)
    LEFT JOIN declared AS d ON d.worker = u.worker AND d.manifest_sha = u.manifest_sha AND d.src_ip = u.src_ip
    LEFT JOIN (SELECT DISTINCT worker, manifest_sha FROM networks) AS n
        ON n.worker = u.worker AND n.manifest_sha = u.manifest_sha
),
parties AS (
    -- the uses under both tests: another network and client, one network strange; another network, one outside
    SELECT uid, action_uid, time, 'client' AS test, network, client AS party, CASE WHEN is_strange THEN 1 ELSE 0 END AS odd
    FROM weighed WHERE client IS NOT NULL
    UNION ALL
    SELECT uid, action_uid, time, 'network', network, network, CASE WHEN is_outside THEN 1 ELSE 0 END
    FROM weighed WHERE is_bounded
),
suspects AS (
    -- the credentials that can fail a test at all: an odd use, and more than one network and party
    SELECT test, uid FROM parties GROUP BY test, uid
    HAVING max(odd) = 1 AND min(network) <> max(network) AND min(party) <> max(party)
),
numbered AS (
    -- each use of those with its number (n) and the odd uses so far (o): of all, of its network, of its party
    SELECT
        p.*,
        row_number() OVER (PARTITION BY test, uid ORDER BY time, action_uid) AS n_all,
        row_number() OVER (PARTITION BY test, uid, network ORDER BY time, action_uid) AS n_net,
        row_number() OVER (PARTITION BY test, uid, party ORDER BY time, action_uid) AS n_party,
        sum(odd) OVER (PARTITION BY test, uid ORDER BY time, action_uid
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS o_all,
        sum(odd) OVER (PARTITION BY test, uid, network ORDER BY time, action_uid
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS o_net,
        sum(odd) OVER (PARTITION BY test, uid, party ORDER BY time, action_uid
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS o_party
    FROM parties AS p
    JOIN suspects AS s USING (test, uid)
),
returns AS (
    -- each use with the next of its own network and party: how far off, and how many uses between share neither
    SELECT
        *,
        date_diff('microsecond', time, lead(time) OVER own) AS away,
        -- all between, less those of the network, less those of the party: none between shares both
        (lead(n_all) OVER own - n_all) - (lead(n_net) OVER own - n_net) - (lead(n_party) OVER own - n_party) + 1 AS others,
        (lead(o_all) OVER own - o_all) - (lead(o_net) OVER own - o_net) - (lead(o_party) OVER own - o_party)
            + lead(odd) OVER own AS odd_others
    FROM numbered
    WINDOW own AS (PARTITION BY test, uid, network, party ORDER BY time, action_uid)
),
enclosing AS (
    -- the same with whether this use and the next of its own enclose somebody else within 30 minutes
    SELECT
        *,
        CASE WHEN away <= 1800000000 AND (odd_others > 0 OR (odd = 1 AND others > 0)) THEN 1 ELSE 0 END AS encloses
    FROM returns
),
closing AS (
    -- the same with whether it is the later one of such a pair
    SELECT *, coalesce(lag(encloses) OVER (PARTITION BY test, uid, network, party ORDER BY time, action_uid), 0) AS closes
    FROM enclosing
),
entangled AS (
    -- the uses from the first to the last of any such pair: pairs begun so far outnumber pairs ended before
    SELECT DISTINCT uid, action_uid, odd FROM (
        SELECT
            uid, action_uid, odd,
            sum(encloses - closes) OVER (PARTITION BY test, uid ORDER BY time, action_uid
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) + closes AS open_pairs
        FROM closing
    ) AS counted WHERE open_pairs > 0
),
involved AS (
    -- those uses with their networks and clients in order, to name the first twenty of each
    SELECT
        u.uid, u.action_uid, u.network, u.client, e.odd, CAST(u.time AS DATE) AS day, u.session_uid,
        u.uid = u.session_uid AS is_session,
        dense_rank() OVER (PARTITION BY u.uid, CAST(u.time AS DATE) ORDER BY u.network) AS nth_network,
        dense_rank() OVER (PARTITION BY u.uid, CAST(u.time AS DATE) ORDER BY u.client) AS nth_client
    FROM (SELECT uid, action_uid, max(odd) AS odd FROM entangled GROUP BY uid, action_uid) AS e
    JOIN uses AS u ON u.uid = e.uid AND u.action_uid = e.action_uid
),
summaries AS (
    -- each credential's day with its networks and clients, and the network that gives it away
    SELECT
        uid, day,
        array_sort(list(DISTINCT network) FILTER (WHERE nth_network <= 20)) AS networks, max(nth_network) AS network_count,
        array_sort(list(DISTINCT client) FILTER (WHERE nth_client <= 20 AND client IS NOT NULL)) AS clients,
        min(CASE WHEN odd = 1 THEN network END) AS strange
    FROM involved GROUP BY uid, day
),
sessions_of_credentials AS (
    -- sessions whose own credential is already told of
    SELECT DISTINCT session_uid FROM involved WHERE NOT is_session AND session_uid IS NOT NULL
)
SELECT
    a.worker,
    a.principal,
    i.uid AS entity,
    a.action_uid,
    a.time,
    a.chain_id,
    'critical' AS severity,
    a.confidence,
    coalesce(a.worker, a.principal, 'somebody unknown') || ': ' || i.uid || ' was used from '
        || coalesce(s.strange, 'a strange network') || ' and from ' || CAST(s.network_count - 1 AS VARCHAR)
        || CASE s.network_count WHEN 2 THEN ' other network' ELSE ' other networks' END || ' at once' AS title,
    {
        'expected': 'one party at a time; networks that are declared, or known from three earlier days',
        'seen': 'uses that alternate within 30 minutes',
        'networks': s.networks,
        'network_count': s.network_count,
        'clients': s.clients,
        'strange_network': s.strange,
        'session': a.session_uid,
        'attribution': a.strength
    } AS explanation,
    a.manifest_sha
FROM involved AS i
JOIN summaries AS s ON s.uid = i.uid AND s.day = i.day
JOIN attributed AS a ON a.action_uid = i.action_uid
LEFT JOIN sessions_of_credentials AS c ON i.is_session AND c.session_uid = i.uid
WHERE c.session_uid IS NULL
