/*---
id: wrong_instantiator
version: 4
title: A worker was started by somebody who may not start it
description: >
  Above the worker's own identities, its credential goes back to a principal or credential that no pattern of
  `instantiators` of the manifest in force matches, at any place on the way to the root. Or the subject that its
  credential goes back to names another repository or branch than `provenance`. Where no record shows who issued the
  worker's credential, nothing is judged.
severity: high
tags:
  - owasp.asi03
  - owasp.asi04
  - owasp.asi07
  - owasp.nhi4
  - maestro.agent-identity-attack
  - maestro.orchestration-attacks
  - nist.ai-rmf.map-4.2
  - nist.ai-rmf.measure-2.7
  - attack.t1199
  - attack.t1548.005
  - attack.t1550.001
  - atlas.aml.t0091
look_alikes:
  - case: a chain that begins with the worker's own subject or key
    separated_by: all names on the way are the worker's; who stands above them is not on record
  - case: a run of a pipeline, which AWS knows by its OIDC subject alone
    separated_by: a subject of a repository stands for the runs of that repository (`github:run/REPO#*`)
  - case: an administrator who once made the key that the worker uses every day
    separated_by: making a key is judged once, on its day; using it is no start
  - case: another worker starts it, which that worker's may_start allows
    separated_by: one step lower, since the two manifests contradict each other
  - case: the issuing records of the one above are missing
    separated_by: one step lower, and the finding says what is unseen
  - case: a hot fix from a branch of the right repository
    separated_by: one step lower than another repository
tests:
  - name: a person takes on the worker's role
    actions:
      - {credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1", api_service: s3.amazonaws.com, api_operation: GetObject}
      - {credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1", api_service: s3.amazonaws.com, api_operation: PutObject}
    bindings:
      - uid: "aws:key/ASIA1"
        root_uid: "aws:user/arn:aws:iam::111122223333:user/ivo"
        path:
          - {from: "aws:key/ASIA1", to: "aws:role/arn:aws:iam::111122223333:role/w1", mechanism: acts as, evidence: a1, strength: proven}
          - {from: "aws:key/ASIA1", to: "aws:key/AKIAIVO", mechanism: AssumeRole, evidence: a0, strength: proven}
          - {from: "aws:key/AKIAIVO", to: "aws:user/arn:aws:iam::111122223333:user/ivo", mechanism: acts as, evidence: a0, strength: proven}
      - {uid: "aws:role/arn:aws:iam::111122223333:role/w1"}
      - {uid: "aws:key/AKIAIVO", worker: null, strength: none}
      - {uid: "aws:user/arn:aws:iam::111122223333:user/ivo", worker: null, strength: none}
    instantiators: [{pattern: "github:run/corp/agents#*", line: 14}, {pattern: "aws:role/arn:aws:iam::111122223333:role/ci", line: 15, ordinal: 1}]
    expected:
      - {worker: w1, severity: high, entity: "aws:user/arn:aws:iam::111122223333:user/ivo", evidence: [a1, a2], title: [w1 was started by, user/ivo], explanation: ["w1.yaml:14", AssumeRole, a0]}
  - name: a service takes it on that is not among those who may
    actions: [{credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1", strength: asserted, confidence: 0.8}]
    bindings:
      - uid: "aws:key/ASIA1"
        root_uid: aws:service/lambda.amazonaws.com
        path: [{from: "aws:key/ASIA1", to: aws:service/lambda.amazonaws.com, mechanism: AssumeRole, evidence: a0, strength: proven}]
      - {uid: aws:service/lambda.amazonaws.com, worker: null, strength: none}
    instantiators: [{pattern: aws:service/ec2.amazonaws.com}]
    expected: [{worker: w1, severity: medium, entity: aws:service/lambda.amazonaws.com, explanation: [under 0.9]}]
  - name: a role of which no record shows who took it on; and a worker whose may_start says that it may
    actions:
      - {credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1"}
      - {credential_uid: "aws:key/ASIA3", bound_uid: "aws:key/ASIA3"}
    bindings:
      - uid: "aws:key/ASIA1"
        root_uid: "aws:role/arn:aws:iam::999988887777:role/x"
        path:
          - {from: "aws:key/ASIA1", to: "aws:key/ASIA0", mechanism: AssumeRole, evidence: e1, strength: proven}
          - {from: "aws:key/ASIA0", to: "aws:role/arn:aws:iam::999988887777:role/x", mechanism: acts as, evidence: e1, strength: proven}
      - {uid: "aws:key/ASIA0", worker: null, strength: none}
      - {uid: "aws:role/arn:aws:iam::999988887777:role/x", worker: null, strength: none}
      - uid: "aws:key/ASIA3"
        root_uid: "aws:user/arn:aws:iam::111122223333:user/w0"
        path:
          - {from: "aws:key/ASIA3", to: "aws:key/AKIA0", mechanism: AssumeRole, evidence: e1, strength: proven}
          - {from: "aws:key/AKIA0", to: "aws:user/arn:aws:iam::111122223333:user/w0", mechanism: acts as, evidence: e1, strength: proven}
      - {uid: "aws:key/AKIA0", worker: w0}
      - {uid: "aws:user/arn:aws:iam::111122223333:user/w0", worker: w0}
    manifest_versions: [{worker: w0, manifest_sha: sha-0, valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}]
    may_start: [{worker: w0, manifest_sha: sha-0, starts: w1, file: w0.yaml, line: 8}]
    instantiators: [{pattern: aws:service/ec2.amazonaws.com}]
    expected:
      - {worker: w1, severity: medium, entity: "aws:role/arn:aws:iam::999988887777:role/x", explanation: [unseen, no record tells]}
      - {worker: w1, severity: medium, entity: "aws:user/arn:aws:iam::111122223333:user/w0", explanation: [may_start, "w0"]}
  - name: somebody else makes a key for the worker's user; its daily use is no start
    actions:
      - {worker: null, principal: "aws:user/arn:aws:iam::111122223333:user/eve", api_service: iam.amazonaws.com, api_operation: CreateAccessKey, obtains: other}
      - {credential_uid: "aws:key/AKIAW1", bound_uid: "aws:key/AKIAW1", time: 2026-03-09T10:00:00}
      - {credential_uid: "aws:key/ASIAW1", bound_uid: "aws:key/ASIAW1", time: 2026-03-10T10:00:00}
    bindings:
      - uid: "aws:key/AKIAW1"
        strength: asserted
        confidence: 0.95
        root_uid: "aws:user/arn:aws:iam::111122223333:user/eve"
        path:
          - {from: "aws:key/AKIAW1", to: "aws:user/arn:aws:iam::111122223333:user/w1", mechanism: acts as, evidence: a1, strength: proven}
          - {from: "aws:key/AKIAW1", to: "aws:key/AKIAEVE", mechanism: CreateAccessKey, evidence: a1, strength: asserted}
          - {from: "aws:key/AKIAEVE", to: "aws:user/arn:aws:iam::111122223333:user/eve", mechanism: acts as, evidence: a1, strength: proven}
      - uid: "aws:key/ASIAW1"
        root_uid: "aws:user/arn:aws:iam::111122223333:user/eve"
        path:
          - {from: "aws:key/ASIAW1", to: "aws:key/AKIAW1", mechanism: GetSessionToken, evidence: e3, strength: proven}
          - {from: "aws:key/AKIAW1", to: "aws:key/AKIAEVE", mechanism: CreateAccessKey, evidence: a1, strength: asserted}
          - {from: "aws:key/AKIAEVE", to: "aws:user/arn:aws:iam::111122223333:user/eve", mechanism: acts as, evidence: a1, strength: proven}
      - {uid: "aws:user/arn:aws:iam::111122223333:user/w1"}
      - {uid: "aws:key/AKIAEVE", worker: null, strength: none}
      - {uid: "aws:user/arn:aws:iam::111122223333:user/eve", worker: null, strength: none}
    manifest_versions: [{valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}]
    instantiators: [{pattern: "aws:user/arn:aws:iam::111122223333:user/admin"}]
    expected: [{worker: w1, severity: high, entity: "aws:user/arn:aws:iam::111122223333:user/eve", evidence: [a1], day: 2026-03-02, title: ["w1 was given aws:key/AKIAW1 by"]}]
  - name: a fork's run, a pull request, another branch, another workflow
    actions:
      - {principal: "oidc:subject/token.actions.githubusercontent.com#repo:evil/shop:ref:refs/heads/main", bound_uid: "oidc:subject/token.actions.githubusercontent.com#repo:evil/shop:ref:refs/heads/main", api_operation: AssumeRoleWithWebIdentity}
      - {principal: "oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:pull_request", bound_uid: "oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:pull_request"}
      - {principal: "oidc:subject/token.actions.githubusercontent.com#repo:corp@1/shop@2:ref:refs/heads/dev", bound_uid: "oidc:subject/token.actions.githubusercontent.com#repo:corp@1/shop@2:ref:refs/heads/dev"}
      - {principal: "oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:job_workflow_ref:corp/shop/.github/workflows/other.yml@refs/heads/main", bound_uid: "oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:job_workflow_ref:corp/shop/.github/workflows/other.yml@refs/heads/main"}
    bindings:
      - {uid: "oidc:subject/token.actions.githubusercontent.com#repo:evil/shop:ref:refs/heads/main", root_uid: x}
      - {uid: "oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:pull_request", root_uid: x}
      - {uid: "oidc:subject/token.actions.githubusercontent.com#repo:corp@1/shop@2:ref:refs/heads/dev", root_uid: x}
      - {uid: "oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:job_workflow_ref:corp/shop/.github/workflows/other.yml@refs/heads/main", root_uid: x}
    provenance: [{repo: corp/shop, workflow: "release.yml@refs/heads/main"}]
    scope_lines: [{service: [s3.amazonaws.com]}]
    expected:
      - {worker: w1, severity: high, entity: "oidc:subject/token.actions.githubusercontent.com#repo:evil/shop:ref:refs/heads/main", title: [evil/shop], explanation: [w1.yaml, corp/shop]}
      - {worker: w1, severity: medium, entity: "oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:pull_request", title: [a pull request]}
      - {worker: w1, severity: medium, entity: "oidc:subject/token.actions.githubusercontent.com#repo:corp@1/shop@2:ref:refs/heads/dev", title: [refs/heads/dev]}
      - {worker: w1, severity: medium, entity: "oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:job_workflow_ref:corp/shop/.github/workflows/other.yml@refs/heads/main", title: [other.yml]}
  - name: the run of a pipeline, which AWS knows by its subject; the right repository, branch and workflow
    actions:
      - {credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1"}
    bindings:
      - uid: "aws:key/ASIA1"
        root_uid: "oidc:subject/token.actions.githubusercontent.com#repo:Corp/Agents:ref:refs/heads/main"
        path: [{from: "aws:key/ASIA1", to: "oidc:subject/token.actions.githubusercontent.com#repo:Corp/Agents:ref:refs/heads/main", mechanism: AssumeRoleWithWebIdentity, evidence: e1, strength: proven}]
      - {uid: "oidc:subject/token.actions.githubusercontent.com#repo:Corp/Agents:ref:refs/heads/main", worker: null, strength: none}
    instantiators: [{pattern: "github:run/corp/agents#*"}]
    provenance: [{repo: corp/agents, workflow: "deploy.yml@refs/heads/main"}]
    expected: []
  - name: one of those on the way may start it
    actions: [{credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1"}]
    bindings:
      - uid: "aws:key/ASIA1"
        root_uid: "aws:user/arn:aws:iam::111122223333:user/ivo"
        path:
          - {from: "aws:key/ASIA1", to: "aws:key/ASIACI", mechanism: AssumeRole, evidence: e1, strength: proven}
          - {from: "aws:key/ASIACI", to: "aws:role/arn:aws:iam::111122223333:role/ci", mechanism: acts as, evidence: e1, strength: proven}
      - {uid: "aws:key/ASIACI", worker: null, strength: none}
      - {uid: "aws:role/arn:aws:iam::111122223333:role/ci", worker: null, strength: none}
    instantiators: [{pattern: "aws:role/*:role/ci"}]
    expected: []
  - name: nobody on record above the worker's own names, and a manifest that names no instantiators
    actions:
      - {credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1"}
      - {credential_uid: "aws:key/ASIA2", bound_uid: "aws:key/ASIA2", worker: w2, manifest_sha: sha-2}
    bindings:
      - uid: "aws:key/ASIA1"
        root_uid: "oidc:subject/idp.example#w1"
        path:
          - {from: "aws:key/ASIA1", to: "aws:role/arn:aws:iam::111122223333:role/w1", mechanism: acts as, evidence: e1, strength: proven}
          - {from: "aws:key/ASIA1", to: "oidc:subject/idp.example#w1", mechanism: AssumeRoleWithWebIdentity, evidence: e1, strength: proven}
      - {uid: "oidc:subject/idp.example#w1"}
      - {uid: "aws:role/arn:aws:iam::111122223333:role/w1"}
      - uid: "aws:key/ASIA2"
        worker: w2
        root_uid: "aws:user/eve"
        path: [{from: "aws:key/ASIA2", to: "aws:user/eve", mechanism: AssumeRole, evidence: e2, strength: proven}]
      - {uid: "aws:user/eve", worker: null, strength: none}
    instantiators: [{pattern: "github:run/corp/agents#*"}]
    expected: []
  - name: another worker's repository is not this worker's provenance; an environment shows no branch
    actions:
      - {credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1"}
      - {principal: "oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:environment:prod", bound_uid: "oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:environment:prod"}
    bindings:
      - uid: "aws:key/ASIA1"
        root_uid: "oidc:subject/token.actions.githubusercontent.com#repo:corp/w0:ref:refs/heads/main"
        path: [{from: "aws:key/ASIA1", to: "oidc:subject/token.actions.githubusercontent.com#repo:corp/w0:ref:refs/heads/main", mechanism: AssumeRole, evidence: e1, strength: proven}]
      - {uid: "oidc:subject/token.actions.githubusercontent.com#repo:corp/w0:ref:refs/heads/main", worker: w0}
      - {uid: "oidc:subject/token.actions.githubusercontent.com#repo:corp/shop:environment:prod", root_uid: x}
    provenance: [{repo: corp/shop, workflow: "release.yml@refs/heads/main"}]
    expected: []
  - name: a user passed to another worker; the key made for it before is the first worker's business
    actions:
      - {worker: null, principal: "aws:user/arn:aws:iam::111122223333:user/eve", api_service: iam.amazonaws.com, api_operation: CreateAccessKey, obtains: other, time: 2026-03-02T10:00:00}
      - {worker: w2, manifest_sha: sha-2, credential_uid: "aws:key/AKIA1", bound_uid: "aws:key/AKIA1", time: 2026-03-02T12:00:00}
    bindings:
      - uid: "aws:key/AKIA1"
        valid_to: 2026-03-02T11:00:00
        root_uid: "aws:user/arn:aws:iam::111122223333:user/eve"
        path: [{from: "aws:key/AKIA1", to: "aws:user/arn:aws:iam::111122223333:user/eve", mechanism: CreateAccessKey, evidence: a1, strength: asserted}]
      - uid: "aws:key/AKIA1"
        worker: w2
        valid_from: 2026-03-02T11:00:00
        root_uid: "aws:user/arn:aws:iam::111122223333:user/eve"
        path: [{from: "aws:key/AKIA1", to: "aws:user/arn:aws:iam::111122223333:user/eve", mechanism: CreateAccessKey, evidence: a1, strength: asserted}]
    manifest_versions:
      - {valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}
      - {worker: w2, manifest_sha: sha-2, valid_from: 1900-01-01T00:00:00, valid_to: 2200-01-01T00:00:00}
    instantiators: [{pattern: aws:service/ec2.amazonaws.com}, {worker: w2, manifest_sha: sha-2, pattern: aws:service/ec2.amazonaws.com}]
    expected: [{worker: w1, severity: high, entity: "aws:user/arn:aws:iam::111122223333:user/eve", evidence: [a1]}]
  - name: the key above was another worker's, whom the pattern names, until it passed on
    actions:
      - {credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1", time: 2026-03-02T10:00:00}
      - {credential_uid: "aws:key/ASIA1", bound_uid: "aws:key/ASIA1", time: 2026-03-02T12:00:00}
    bindings:
      - {uid: "aws:key/ASIA1", valid_to: 2026-03-02T11:00:00, root_uid: "aws:user/u", path: [{from: "aws:key/ASIA1", to: "aws:user/u", mechanism: AssumeRole, evidence: e1, strength: proven}]}
      - {uid: "aws:key/ASIA1", valid_from: 2026-03-02T11:00:00, root_uid: "aws:user/u", path: [{from: "aws:key/ASIA1", to: "aws:user/u", mechanism: AssumeRole, evidence: e1, strength: proven}]}
      - {uid: "aws:user/u", worker: w3, valid_to: 2026-03-02T11:00:00}
      - {uid: "aws:user/u", worker: w0, valid_from: 2026-03-02T11:00:00}
    instantiators: [{pattern: "worker:id/w3"}]
    expected: [{worker: w1, severity: high, entity: "aws:user/u", evidence: [a2]}]
---*/

WITH bounded AS (
    -- versions of manifests that say who may start the worker or where its code comes from
    SELECT worker, manifest_sha FROM instantiators
    UNION
    SELECT worker, manifest_sha FROM provenance
),
walks AS (
    -- every binding of such a worker, known by its name and beginning
    SELECT
        b.uid || '@' || coalesce(CAST(b.valid_from AS VARCHAR), '') AS way,
        b.uid, coalesce(b.valid_from, TIMESTAMP '0001-01-01') AS since,
        coalesce(b.valid_to, TIMESTAMP '9999-12-31') AS until, b.worker, b.root_uid, b.path
    FROM bindings AS b
    JOIN (SELECT DISTINCT worker FROM bounded) AS w ON w.worker = b.worker
),
hops AS (
    -- the hops of their ways to the root
    SELECT
        way, uid, since, until, worker, root_uid, hop."from" AS child, hop.to AS parent, hop.mechanism AS mechanism, hop.evidence AS evidence
    FROM (SELECT way, uid, since, until, worker, root_uid, unnest(path) AS hop FROM walks) AS unnested
),
names AS (
    -- the names on each way
    SELECT way, uid, since, worker, uid AS name FROM walks
    UNION
    SELECT way, uid, since, worker, child FROM hops
    UNION
    SELECT way, uid, since, worker, parent FROM hops
),
placed AS (
    -- those names with whose they are, and what else they may be called in a manifest
    SELECT
        n.way, n.uid, n.since, n.worker, n.name, o.owner, coalesce(o.is_own, FALSE) AS is_own,
        'worker:id/' || o.owner AS as_worker,
        CASE
            WHEN n.name LIKE 'oidc:subject/%#repo:%'
                THEN lower(regexp_extract(n.name, '#repo:([^/:@]+)', 1) || '/'
                    || regexp_extract(n.name, '#repo:[^/:]+/([^/:@]+)', 1))
            WHEN n.name LIKE 'oidc:subject/%#project_path:%' THEN lower(regexp_extract(n.name, '#project_path:([^:]+)', 1))
            WHEN n.name LIKE 'github:run/%' THEN lower(regexp_extract(n.name, '^github:run/([^#]+)', 1))
        END AS repo
    FROM names AS n
    LEFT JOIN (
        -- when the way begins: where a name on it passes on, another way begins
        SELECT m.worker, m.since, m.name, max(b.worker) AS owner, bool_or(b.worker = m.worker) AS is_own
        FROM (SELECT DISTINCT worker, since, name FROM names) AS m
        JOIN bindings AS b
            ON b.uid = m.name AND m.since >= coalesce(b.valid_from, TIMESTAMP '0001-01-01')
            AND m.since < coalesce(b.valid_to, TIMESTAMP '9999-12-31')
        GROUP BY m.worker, m.since, m.name
    ) AS o ON o.worker = n.worker AND o.since = n.since AND o.name = n.name
),
leaving AS (
    -- the issuing hop at which each way leaves the worker's own names
    SELECT way, uid, since, until, root_uid, worker, child, parent, mechanism, evidence, owner, is_static FROM (
        SELECT
            h.*, above.owner,
            h.child LIKE 'aws:key/AKIA%' OR h.child LIKE 'okta:token/%' OR h.child LIKE 'gcp:key/%'
                OR h.child LIKE 'litellm:key/%' OR h.child LIKE 'github:token/%' OR h.child LIKE 'x509:cert/%' AS is_static,
            row_number() OVER (PARTITION BY h.way ORDER BY h.child, h.parent, h.mechanism) AS nth
        FROM hops AS h
        JOIN placed AS below ON below.way = h.way AND below.name = h.child AND below.is_own
        JOIN placed AS above ON above.way = h.way AND above.name = h.parent AND NOT above.is_own
        WHERE h.mechanism NOT IN ('acts as', 'acts in')
    ) AS ordered WHERE nth = 1
),
patterns AS (
    -- what manifests allow; the names of runs are in lower case
    -- a pattern with stars within is matched as a regular expression, since LIKE may take for ever (detectors/glob.py)
    SELECT worker, manifest_sha, pattern, lower(pattern) AS lowered,
        CASE WHEN regexp_matches(pattern, '((?s)^(?:[^\\%]|\\.)*%.*%[^%])') THEN '^(?s)(\Q' || replace(replace(replace(replace(replace(
            pattern, '\\', '\E\x5c\Q'), '\%', '\E\x25\Q'), '\_', '\E\x5f\Q'), '%', '\E.*\Q'), '_', '\E.\Q') || '\E)\z'
            END AS expression,
        CASE WHEN regexp_matches(lower(pattern), '((?s)^(?:[^\\%]|\\.)*%.*%[^%])') THEN '^(?s)(\Q' || replace(replace(replace(replace(replace(
            lower(pattern), '\\', '\E\x5c\Q'), '\%', '\E\x25\Q'), '\_', '\E\x5f\Q'), '%', '\E.*\Q'), '_', '\E.\Q') || '\E)\z'
            END AS lowered_expression
    FROM instantiators
),
matching AS (
    -- names above a worker's own that a pattern of its instantiators matches
    SELECT DISTINCT p.worker, p.since, i.manifest_sha, p.name
    FROM (SELECT DISTINCT worker, since, name, as_worker, repo FROM placed WHERE NOT is_own) AS p
    JOIN patterns AS i ON i.worker = p.worker
    WHERE CASE WHEN i.expression IS NULL THEN p.name LIKE i.pattern ESCAPE '\' ELSE regexp_matches(p.name, i.expression) END
        OR CASE WHEN i.expression IS NULL THEN p.as_worker LIKE i.pattern ESCAPE '\' ELSE regexp_matches(p.as_worker, i.expression) END
        OR CASE WHEN i.lowered_expression IS NULL THEN 'github:run/' || p.repo || '#' LIKE i.lowered ESCAPE '\'
                ELSE regexp_matches('github:run/' || p.repo || '#', i.lowered_expression) END
),
matched AS (
    -- ways on which such a name lies
    SELECT DISTINCT p.way, m.manifest_sha
    FROM placed AS p
    JOIN matching AS m ON m.worker = p.worker AND m.since = p.since AND m.name = p.name
),
named AS (
    -- the first line of each list of instantiators, and how many there are
    SELECT worker, manifest_sha, min(file) AS file, min(line) AS line, count(*) AS patterns
    FROM instantiators GROUP BY worker, manifest_sha
),
files AS (
    -- the file of each version of a manifest
    SELECT worker, manifest_sha, min(file) AS file FROM scope_lines GROUP BY worker, manifest_sha
),
subjects AS (
    -- names that show a repository, the worker's own or nobody's, with what the provenance wants
    SELECT
        p.way, v.manifest_sha, p.name, p.repo, v.repo AS wanted_repo, v.workflow,
        nullif(split_part(v.workflow, '@', 2), '') AS wanted_ref,
        nullif(regexp_extract(p.name, 'workflow_ref:[^:]*/[.]github/workflows/([^:]+)', 1), '') AS shown_workflow,
        nullif(regexp_extract(p.name, ':ref:([^:]+)', 1), '') AS shown_ref
    FROM placed AS p
    JOIN provenance AS v ON v.worker = p.worker
    WHERE p.repo <> '' AND (p.owner IS NULL OR p.is_own)
),
origins AS (
    -- those that show another repository, workflow or branch than wanted
    SELECT * FROM (
        SELECT
            *, coalesce(lower(wanted_repo) <> repo, FALSE) AS is_elsewhere,
            CASE
                WHEN shown_workflow <> workflow AND split_part(shown_workflow, '@', 1) <> workflow THEN shown_workflow
                WHEN shown_workflow IS NULL AND wanted_ref IS NOT NULL AND name LIKE '%:pull_request' THEN 'a pull request'
                WHEN shown_workflow IS NULL AND shown_ref <> wanted_ref
                    AND regexp_replace(shown_ref, '^refs/(heads|tags)/', '') <> wanted_ref THEN shown_ref
            END AS shown
        FROM subjects
    ) AS read
    WHERE is_elsewhere OR shown IS NOT NULL
),
starts AS (
    -- uses of credentials that go back to somebody else; a static key counts once, when it was made
    SELECT a.action_uid, a.worker, a.manifest_sha, a.confidence, l.way, l.root_uid, l.child, l.parent, l.mechanism, l.evidence, l.is_static,
        l.owner
    FROM attributed AS a
    JOIN leaving AS l ON l.uid = a.bound_uid AND l.worker = a.worker AND a.time >= l.since AND a.time < l.until
    WHERE NOT l.is_static
    UNION ALL
    SELECT a.action_uid, l.worker, v.manifest_sha, CAST(NULL AS DOUBLE), l.way, l.root_uid, l.child, l.parent, l.mechanism, l.evidence, l.is_static,
        l.owner
    FROM leaving AS l
    JOIN attributed AS a ON a.action_uid = l.evidence AND a.time >= l.since AND a.time < l.until
    JOIN manifest_versions AS v ON v.worker = l.worker AND a.time >= v.valid_from AND a.time < v.valid_to
    WHERE l.is_static AND l.uid = l.child
),
consent AS (
    -- which worker may start which other, by the manifest in force when
    SELECT DISTINCT v.worker, s.starts, v.valid_from, v.valid_to, s.file, s.line
    FROM may_start AS s
    JOIN manifest_versions AS v ON v.worker = s.worker AND v.manifest_sha = s.manifest_sha
),
wrong AS (
    -- starts by nobody who may, and uses under another provenance, with what there is to say
    SELECT
        s.action_uid, s.worker, s.manifest_sha, s.confidence, s.root_uid AS entity, 'start' AS fault,
        s.child, s.parent, s.mechanism, s.evidence, s.is_static, s.owner,
        n.file, n.line, n.patterns,
        CAST(NULL AS VARCHAR) AS shown, CAST(NULL AS VARCHAR) AS wanted, FALSE AS is_elsewhere,
        split_part(s.root_uid, '/', 1) IN (
            'aws:role', 'aws:principal', 'aws:key', 'aws:session', 'oauth:token', 'okta:session', 'okta:token',
            'saml:assertion', 'k8s:token', 'vault:accessor', 'github:token', 'x509:cert', 'azure:token', 'gcp:key'
        ) AS is_open
    FROM starts AS s
    JOIN named AS n ON n.worker = s.worker AND n.manifest_sha = s.manifest_sha
    LEFT JOIN matched AS m ON m.way = s.way AND m.manifest_sha = s.manifest_sha
    WHERE m.way IS NULL
    UNION ALL
    SELECT
        a.action_uid, a.worker, a.manifest_sha, a.confidence, o.name, 'provenance',
        CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), FALSE,
        CAST(NULL AS VARCHAR), f.file, CAST(NULL AS BIGINT), 1,
        CASE WHEN o.is_elsewhere THEN o.repo ELSE o.shown END,
        CASE WHEN o.is_elsewhere THEN o.wanted_repo ELSE o.workflow END, o.is_elsewhere, FALSE
    FROM origins AS o
    JOIN walks AS w ON w.way = o.way
    JOIN attributed AS a
        ON a.bound_uid = w.uid AND a.worker = w.worker AND a.manifest_sha = o.manifest_sha
        AND a.time >= w.since AND a.time < w.until
    LEFT JOIN files AS f ON f.worker = a.worker AND f.manifest_sha = a.manifest_sha
),
weighed AS (
    -- the same with their actions and the step of severity, 3 being high
    SELECT
        w.*, a.principal, a.time, a.chain_id, a.strength, a.status, a.api_service, a.api_operation, a.dst_host, a.src_ip,
        a.status IN ('failure', 'denied') AS tried, c.file || ':' || CAST(c.line AS VARCHAR) AS consenting,
        CASE WHEN w.fault = 'start' THEN CASE WHEN w.is_open OR c.worker IS NOT NULL THEN 2 ELSE 3 END
             ELSE CASE WHEN w.is_elsewhere THEN 3 ELSE 2 END
        END - CASE WHEN a.status IN ('failure', 'denied') THEN 1 ELSE 0 END AS step
    FROM wrong AS w
    JOIN attributed AS a ON a.action_uid = w.action_uid
    LEFT JOIN consent AS c
        ON c.worker = w.owner AND c.starts = w.worker AND a.time >= c.valid_from AND a.time < c.valid_to
)
SELECT
    worker,
    principal,
    entity,
    action_uid,
    time,
    chain_id,
    CASE step WHEN 3 THEN 'high' WHEN 2 THEN 'medium' ELSE 'low' END AS severity,
    confidence,
    CASE
        WHEN fault = 'provenance' THEN worker || ' ran from ' || shown || ' instead of ' || wanted
        WHEN is_static THEN worker || ' was given ' || child || ' by ' || entity || ', who may not start it'
        ELSE worker || ' was started by ' || entity || ', who may not start it'
    END AS title,
    {
        'expected': CASE
            WHEN fault = 'provenance' THEN wanted || ', the provenance in ' || coalesce(file, 'the manifest')
            ELSE 'one of ' || CAST(patterns AS VARCHAR) || ' instantiators, from ' || coalesce(file, 'the manifest') || ':'
                || coalesce(CAST(line AS VARCHAR), '?') || ' on; none matches any name above the worker''s own'
        END,
        'seen': coalesce(api_service || ' ' || api_operation, dst_host, 'a call') || ' (' || status || ')',
        'root': entity,
        'issued_to': child,
        'issued_by': parent,
        'mechanism': mechanism,
        'evidence': evidence,
        'upper_worker': owner,
        'may_start': 'allowed by ' || consenting,
        'shown': shown,
        'unseen': CASE
            WHEN is_open THEN 'no record tells who issued or took on ' || entity || '; somebody who may could stand above it'
            WHEN fault = 'provenance' AND is_elsewhere THEN 'which commit ran'
        END,
        'src_ip': src_ip,
        'attribution': strength
    } AS explanation,
    manifest_sha
FROM weighed
