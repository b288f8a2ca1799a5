/*---
id: outside_networks
version: 2
title: The worker's calls came from outside its networks
description: >
  An action of a worker came from an address in none of the networks that its manifest declares. Addresses are
  compared as numbers, IPv4 written as IPv6 being IPv4. Calls without an address of their own (a cloud service that
  calls on behalf of the worker) are not judged, nor is a worker that declares no networks.
severity: high
tags:
  - owasp.nhi2
  - owasp.asi03
  - maestro.agent-identity-attack
  - nist.ai-rmf.measure-2.7
  - attack.t1078.004
  - attack.t1550.001
  - attack.t1552.005
  - atlas.aml.t0091.000
look_alikes:
  - case: a cloud service that calls on behalf of the worker
    separated_by: such records have no address, or a service's name in its place
  - case: one address in another spelling (IPv6, IPv4 written as IPv6, with a zone)
    separated_by: addresses are compared as numbers
  - case: a new gateway or a moved deployment
    separated_by: nothing in the record; the finding names the network, which is then to be declared
  - case: somebody else behind an identity that several share
    separated_by: >
      where the worker was only taken for the actor because nobody else declares a shared identity, an address outside
      its networks speaks against it; the finding is for information
  - case: somebody who guesses the worker's name and is refused
    separated_by: a name that was not proven lowers the severity, a refusal too
tests:
  - name: a stolen key is used elsewhere, over IPv4 and IPv6; the calls from inside are not evidence
    networks: [{cidr: 10.40.0.0/16, line: 20}, {cidr: "2001:db8:1::/48", line: 21}]
    actions:
      - {src_ip: 10.40.255.255, credential_uid: "aws:key/ASIA1"}
      - {src_ip: 203.0.113.7, credential_uid: "aws:key/ASIA1", api_service: s3.amazonaws.com, api_operation: GetObject}
      - {src_ip: 203.0.113.9, credential_uid: "aws:key/ASIA2", api_service: s3.amazonaws.com, api_operation: GetObject}
      - {src_ip: 10.41.0.0, status: denied}
      - {src_ip: "2001:db8:2::1"}
    expected:
      - {worker: w1, severity: high, entity: 203.0.113.0/24, evidence: [a2, a3], title: [w1 made 2 calls from 203.0.113.0/24, outside its networks, s3.amazonaws.com GetObject], explanation: ["w1.yaml:20", "aws:key/ASIA1", "aws:key/ASIA2"]}
      - {worker: w1, severity: medium, entity: 10.41.0.0/24, evidence: [a4], title: [w1 tried 1 call]}
      - {worker: w1, severity: high, entity: "2001:db8:2::/48", evidence: [a5]}
  - name: a name that was guessed through a proxy, and the day of each use
    networks: [{cidr: 10.40.0.0/16}]
    actions:
      - {src_ip: 198.51.100.1, category: proxy, dst_host: crm.example, status: denied, strength: asserted, confidence: 0.8, time: 2026-03-02T23:59:00}
      - {src_ip: 198.51.100.1, category: proxy, dst_host: crm.example, time: 2026-03-03T00:01:00}
    expected:
      - {worker: w1, severity: low, entity: 198.51.100.0/24, evidence: [a1], day: 2026-03-02}
      - {worker: w1, severity: high, entity: 198.51.100.0/24, evidence: [a2], day: 2026-03-03, title: [crm.example]}
  - name: a shared identity that nobody else declares, used from elsewhere
    networks: [{cidr: 10.40.0.0/16}]
    actions: [{src_ip: 203.0.113.7, category: proxy, dst_host: crm.example, strength: inferred, confidence: 0.9}]
    expected: [{worker: w1, severity: info, entity: 203.0.113.0/24, evidence: [a1]}]
  - name: networks of an earlier manifest no longer hold
    networks: [{manifest_sha: sha-0, cidr: 203.0.113.0/24}, {cidr: 10.40.0.0/16}]
    actions: [{manifest_sha: sha-0, src_ip: 203.0.113.7}, {src_ip: 203.0.113.7}]
    expected: [{worker: w1, severity: high, entity: 203.0.113.0/24, evidence: [a2]}]
  - name: every spelling of an address inside, the first and the last of a network
    networks: [{cidr: 192.0.2.0/25}, {cidr: "2001:db8::/33"}, {cidr: "fe80::/10"}]
    actions:
      - {src_ip: 192.0.2.0}
      - {src_ip: 192.0.2.127}
      - {src_ip: "::FFFF:192.0.2.5"}
      - {src_ip: "2001:DB8:7fff:ffff::1"}
      - {src_ip: "2001:0db8:0000::"}
      - {src_ip: "fe80::1%eth0"}
    expected: []
  - name: a service calls on behalf, by its name or by no address at all
    networks: [{cidr: 10.40.0.0/16}]
    actions: [{src_ip: null}, {src_ip: cloudformation.amazonaws.com}, {src_ip: AWS Internal}, {src_ip: "-"}]
    expected: []
  - name: a worker that declares no networks, another's, and nobody
    networks: [{worker: w2, manifest_sha: sha-w2, cidr: 10.40.0.0/16}]
    actions: [{src_ip: 203.0.113.7}, {worker: null, src_ip: 203.0.113.7}, {worker: w2, manifest_sha: sha-w2, src_ip: 10.40.1.1}]
    expected: []
---*/

WITH bounded AS (
    -- manifests that declare networks: how many, and where the first is declared
    SELECT worker, manifest_sha, min(file) AS file, min(line) AS line, count(*) AS networks
    FROM networks GROUP BY worker, manifest_sha
),
origins AS (
    -- the addresses from which such workers acted
    SELECT DISTINCT a.worker, a.manifest_sha, a.src_ip
    FROM attributed AS a
    JOIN bounded AS b ON b.worker = a.worker AND b.manifest_sha = a.manifest_sha
    WHERE a.src_ip IS NOT NULL
),
inside AS (
    -- those that lie in a declared network
    SELECT DISTINCT o.worker, o.manifest_sha, o.src_ip
    FROM origins AS o
    JOIN addresses AS p ON p.src_ip = o.src_ip
    JOIN networks AS n ON n.worker = o.worker AND n.manifest_sha = o.manifest_sha AND n.family = p.family
        AND p.hexadecimal BETWEEN n.low AND n.high
),
outside AS (
    -- those that are addresses and lie in none
    SELECT o.worker, o.manifest_sha, o.src_ip, p.network, b.file, b.line, b.networks
    FROM origins AS o
    JOIN addresses AS p ON p.src_ip = o.src_ip
    JOIN bounded AS b ON b.worker = o.worker AND b.manifest_sha = o.manifest_sha
    LEFT JOIN inside AS i ON i.worker = o.worker AND i.manifest_sha = o.manifest_sha AND i.src_ip = o.src_ip
    WHERE i.src_ip IS NULL
),
strays AS (
    -- the actions from those
    SELECT
        a.*, o.network, o.file, o.line, o.networks, CAST(a.time AS DATE) AS day,
        coalesce(a.api_service || ' ' || a.api_operation, lower(a.dst_host), a.dst_ip, a.tool, a.model, 'a call') AS called,
        coalesce(a.credential_uid, a.session_uid, a.principal) AS presented,
        a.status IN ('denied', 'failure') AS tried
    FROM attributed AS a
    JOIN outside AS o ON o.worker = a.worker AND o.manifest_sha = a.manifest_sha AND o.src_ip = a.src_ip
),
calls AS (
    -- what was called from each network on each day, the most frequent first
    SELECT
        worker, network, day, called, row_number() OVER (PARTITION BY worker, network, day ORDER BY count(*) DESC, called) AS nth
    FROM strays GROUP BY worker, network, day, called
),
held AS (
    -- what was presented there, to name the first twenty
    SELECT worker, network, day, presented, row_number() OVER (PARTITION BY worker, network, day ORDER BY presented) AS nth
    FROM strays WHERE presented IS NOT NULL GROUP BY worker, network, day, presented
),
days AS (
    -- each network's day in figures
    SELECT worker, network, day, count(*) AS calls, min(CASE WHEN tried THEN 1 ELSE 0 END) = 1 AS only_tried
    FROM strays GROUP BY worker, network, day
),
holdings AS (
    SELECT worker, network, day, array_sort(list(presented) FILTER (WHERE nth <= 20)) AS credentials, max(nth) AS number
    FROM held GROUP BY worker, network, day
)
SELECT
    s.worker,
    s.principal,
    s.network AS entity,
    s.action_uid,
    s.time,
    s.chain_id,
    CASE WHEN s.strength = 'inferred' THEN 'info' WHEN s.tried THEN 'medium' ELSE 'high' END AS severity,
    s.confidence,
    s.worker || CASE WHEN d.only_tried THEN ' tried ' ELSE ' made ' END || CAST(d.calls AS VARCHAR)
        || CASE d.calls WHEN 1 THEN ' call from ' ELSE ' calls from ' END || s.network || ', outside its networks, most often '
        || substr(c.called, 1, 120) AS title,
    {
        'expected': 'calls from one of ' || CAST(s.networks AS VARCHAR) || ' declared networks (' || coalesce(s.file, 'manifest')
            || ':' || coalesce(CAST(s.line AS VARCHAR), '?') || ')',
        'seen': s.called || ' from ' || s.src_ip || ' (' || s.status || ')',
        'unseen': 'calls whose record has no address',
        'calls': d.calls,
        'credentials': h.credentials,
        'credential_count': h.number,
        'client': s.user_agent,
        'attribution': s.strength
    } AS explanation,
    s.manifest_sha
FROM strays AS s
JOIN days AS d ON d.worker = s.worker AND d.network = s.network AND d.day = s.day
JOIN calls AS c ON c.worker = s.worker AND c.network = s.network AND c.day = s.day AND c.nth = 1
LEFT JOIN holdings AS h ON h.worker = s.worker AND h.network = s.network AND h.day = s.day
