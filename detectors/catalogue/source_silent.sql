/*---
id: source_silent
version: 1
title: A source fell silent
description: >
  A configured source told nothing for longer than three times its longest earlier silence, and for more than six
  hours, while somebody that usually shows in it was active elsewhere. Silence is counted in hours of that activity,
  never by the wall clock: hours in which a worker that had shown in the source on seven days acted in other sources,
  and hours in which any other source told of something. At the end of the logs only hours count that are a day
  behind the others' horizon, since a source may be that late. A source that never told anything is a finding too.
severity: high
tags:
  - owasp.asi10
  - maestro.evasion-of-detection
  - maestro.compromised-observability-tools
  - nist.ai-rmf.measure-2.4
  - nist.ai-rmf.measure-2.13
  - attack.t1685
  - attack.t1685.002
look_alikes:
  - case: a quiet night, a weekend, or a worker that stands still
    separated_by: only hours count in which the worker, or the other sources, were active
  - case: a source that tells seldom
    separated_by: its own longest silence, measured in the same way
  - case: logs that arrive late
    separated_by: the last day before the other sources' horizon does not count
  - case: a new source, or a worker that has just begun to use it
    separated_by: seven days on which it told of the worker come first, so that a weekday and a weekend are among them
tests:
  - name: a proxy falls silent while its worker goes on in the cloud, and nothing comes after
    sources: [{source: egress, format: squid, category: proxy}, {source: aws, format: cloudtrail}]
    horizons: [{source: egress, horizon: 2026-03-08T12:30:00}, {source: aws, horizon: 2026-03-09T20:30:00}]
    actions:
      - {source: egress, time: 2026-03-01T10:10:00}
      - {source: egress, time: 2026-03-02T10:10:00}
      - {source: egress, time: 2026-03-03T10:10:00}
      - {source: egress, time: 2026-03-04T10:10:00}
      - {source: egress, time: 2026-03-05T10:10:00}
      - {source: egress, time: 2026-03-06T10:10:00}
      - {source: egress, time: 2026-03-07T10:10:00}
      - {source: egress, time: 2026-03-08T12:30:00}
      - {source: aws, time: 2026-03-06T11:00:00}
      - {source: aws, time: 2026-03-08T13:00:00}
      - {source: aws, time: 2026-03-08T14:00:00}
      - {source: aws, time: 2026-03-08T15:00:00}
      - {source: aws, time: 2026-03-08T16:00:00}
      - {source: aws, time: 2026-03-08T17:00:00}
      - {source: aws, time: 2026-03-08T18:00:00}
      - {source: aws, time: 2026-03-08T19:00:00}
      - {source: aws, time: 2026-03-09T20:30:00}
    expected:
      - {worker: null, severity: high, entity: egress, day: 2026-03-08, evidence: [a8, a10, a11, a12, a13, a14, a15, a16], title: [egress told nothing, 7 hours in which w1 was active elsewhere, "since 2026-03-08 12:30"], explanation: ["at most 1"]}
  - name: a gap that has closed again, seen by the other sources alone
    sources: [{source: okta}, {source: aws}]
    horizons: [{source: okta, horizon: 2026-03-08T23:00:00}, {source: aws, horizon: 2026-03-08T22:00:00}]
    actions:
      - {worker: null, source: okta, time: 2026-03-01T10:00:00}
      - {worker: null, source: okta, time: 2026-03-02T10:00:00}
      - {worker: null, source: okta, time: 2026-03-03T10:00:00}
      - {worker: null, source: okta, time: 2026-03-04T10:00:00}
      - {worker: null, source: okta, time: 2026-03-05T10:00:00}
      - {worker: null, source: okta, time: 2026-03-06T10:00:00}
      - {worker: null, source: okta, time: 2026-03-07T10:00:00}
      - {worker: null, source: okta, time: 2026-03-08T23:00:00}
      - {worker: w9, source: aws, time: 2026-03-08T13:00:00}
      - {worker: w9, source: aws, time: 2026-03-08T14:00:00}
      - {worker: null, source: aws, time: 2026-03-08T15:00:00}
      - {worker: w9, source: aws, time: 2026-03-08T16:00:00}
      - {worker: null, source: aws, time: 2026-03-08T17:00:00}
      - {worker: w9, source: aws, time: 2026-03-08T18:00:00}
      - {worker: w9, source: aws, time: 2026-03-08T22:00:00}
    expected:
      - {worker: null, severity: medium, entity: okta, title: [7 hours in which other sources told of something], evidence: [a7, a9, a10, a11, a12, a13, a14, a15, a8]}
  - name: a source that never told anything, for a day and more
    sources: [{source: vault, format: vault}, {source: aws}]
    horizons: [{source: aws, horizon: 2026-03-04T10:00:00}]
    actions: [{source: aws, time: 2026-03-02T10:00:00}, {source: aws, time: 2026-03-04T10:00:00}]
    expected: [{worker: null, severity: low, entity: vault, title: [vault (vault) has never told anything], evidence: [a1]}]
  - name: a quiet weekend, when the worker stands still everywhere; the others are late by less than a day
    sources: [{source: egress}, {source: aws}]
    horizons: [{source: egress, horizon: 2026-03-08T12:00:00}, {source: aws, horizon: 2026-03-09T12:00:00}]
    actions:
      - {source: egress, time: 2026-02-24T10:00:00}
      - {source: egress, time: 2026-02-25T10:00:00}
      - {source: egress, time: 2026-02-26T10:00:00}
      - {source: egress, time: 2026-02-27T10:00:00}
      - {source: egress, time: 2026-03-02T10:00:00}
      - {source: egress, time: 2026-03-03T10:00:00}
      - {source: egress, time: 2026-03-04T10:00:00}
      - {source: egress, time: 2026-03-08T12:00:00}
      - {source: aws, time: 2026-03-08T13:00:00}
      - {source: aws, time: 2026-03-08T14:00:00}
      - {source: aws, time: 2026-03-08T15:00:00}
      - {source: aws, time: 2026-03-08T16:00:00}
      - {source: aws, time: 2026-03-08T17:00:00}
      - {source: aws, time: 2026-03-08T18:00:00}
      - {source: aws, time: 2026-03-08T19:00:00}
      - {source: aws, time: 2026-03-09T12:00:00}
    expected: []
  - name: a source that tells seldom has been as silent before; a new one has no history
    sources: [{source: okta}, {source: new}, {source: aws}]
    horizons: [{source: okta, horizon: 2026-03-08T10:00:00}, {source: new, horizon: 2026-03-07T09:00:00}, {source: aws, horizon: 2026-03-08T11:00:00}]
    actions:
      - {source: okta, time: 2026-03-01T00:00:00}
      - {source: aws, time: 2026-03-01T01:00:00}
      - {source: aws, time: 2026-03-01T02:00:00}
      - {source: aws, time: 2026-03-01T03:00:00}
      - {source: okta, time: 2026-03-01T10:00:00}
      - {source: okta, time: 2026-03-02T10:00:00}
      - {source: okta, time: 2026-03-03T10:00:00}
      - {source: okta, time: 2026-03-04T10:00:00}
      - {source: okta, time: 2026-03-05T10:00:00}
      - {source: okta, time: 2026-03-06T10:00:00}
      - {source: okta, time: 2026-03-07T10:00:00}
      - {source: new, time: 2026-03-07T09:00:00}
      - {source: aws, time: 2026-03-07T11:00:00}
      - {source: aws, time: 2026-03-07T12:00:00}
      - {source: aws, time: 2026-03-07T13:00:00}
      - {source: aws, time: 2026-03-07T14:00:00}
      - {source: aws, time: 2026-03-07T15:00:00}
      - {source: aws, time: 2026-03-07T16:00:00}
      - {source: aws, time: 2026-03-07T17:00:00}
      - {source: aws, time: 2026-03-07T18:00:00}
      - {source: aws, time: 2026-03-07T19:00:00}
      - {source: okta, time: 2026-03-08T10:00:00}
      - {source: aws, time: 2026-03-08T11:00:00}
    expected: []
  - name: a source that is configured no more, a new one beside logs of less than a day, and a lake with nothing in it
    sources: [{source: vault}, {source: aws}]
    horizons: [{source: aws, horizon: 2026-03-02T20:00:00}, {source: gone, horizon: 2026-03-02T10:00:00}]
    actions: [{source: gone, time: 2026-03-02T10:00:00}, {source: aws, time: 2026-03-02T20:00:00}]
    expected: []
---*/

WITH hours AS (
    -- the hours in which each source told of each worker (null: of nobody known), with one action of each
    SELECT source, worker, date_trunc('hour', time) AS hour, min(action_uid) AS action_uid
    FROM attributed GROUP BY source, worker, date_trunc('hour', time)
),
told AS (
    -- the hours in which each source told of something, whether primary or not
    SELECT source, hour FROM hours
    UNION
    SELECT source, date_trunc('hour', horizon) FROM horizons WHERE horizon IS NOT NULL
),
witnesses AS (
    -- by whose hours each configured source is measured: every worker that it told of, and everybody together ('')
    SELECT DISTINCT s.source, h.worker AS witness
    FROM sources AS s JOIN hours AS h ON h.source = s.source
    WHERE h.worker IS NOT NULL
    UNION ALL
    SELECT source, '' FROM sources
),
active AS (
    -- the hours in which each worker, or anybody, was active in each source
    SELECT worker AS witness, source, hour FROM hours WHERE worker IS NOT NULL
    UNION ALL
    SELECT '', source, hour FROM told
),
watched AS (
    -- the hours of each witness since the source first told of it: told of by the source (own), or active elsewhere
    SELECT w.source, w.witness, a.hour, max(CASE WHEN a.source = w.source THEN 1 ELSE 0 END) AS own
    FROM witnesses AS w JOIN active AS a ON a.witness = w.witness
    GROUP BY w.source, w.witness, a.hour
),
numbered AS (
    -- the same in order, with the last own hour so far
    SELECT
        source, witness, hour, own,
        row_number() OVER (PARTITION BY source, witness ORDER BY hour) AS n,
        max(CASE WHEN own = 1 THEN hour END) OVER (
            PARTITION BY source, witness ORDER BY hour ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS run
    FROM watched
),
runs AS (
    -- each own hour with how many hours elsewhere followed until the next, and on how many days there were own ones
    SELECT
        source, witness, hour AS run,
        lead(n) OVER (PARTITION BY source, witness ORDER BY hour) - n - 1 AS missed,
        dense_rank() OVER (PARTITION BY source, witness ORDER BY CAST(hour AS DATE)) AS days
    FROM numbered WHERE own = 1
),
histories AS (
    -- the same with the longest such run before
    SELECT source, witness, run, days, coalesce(max(missed) OVER (
        PARTITION BY source, witness ORDER BY run ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), 0) AS longest
    FROM runs
),
spoken AS (
    -- each source's hours with the next, after which a silence ends
    SELECT source, hour, lead(hour) OVER (PARTITION BY source ORDER BY hour) AS next_hour FROM told
),
horizon_of_others AS (
    -- how far the other sources have told everything, less the day by which a source may be late
    SELECT s.source, max(o.horizon) - INTERVAL 24 HOUR AS settled
    FROM sources AS s JOIN horizons AS o ON o.source <> s.source
    GROUP BY s.source
),
silences AS (
    -- how many hours elsewhere each witness had in each silence of a source, of which nobody told there
    SELECT
        n.source, n.witness, n.run, s.hour AS last_hour, s.next_hour, count(*) AS missed,
        min(n.hour) AS first_missed, max(n.hour) AS last_missed
    FROM numbered AS n
    JOIN spoken AS s
        ON s.source = n.source AND n.hour > s.hour AND n.hour < coalesce(s.next_hour, TIMESTAMP '2200-01-01')
    LEFT JOIN horizon_of_others AS h ON h.source = n.source
    WHERE n.own = 0 AND n.run IS NOT NULL AND (s.next_hour IS NOT NULL OR n.hour + INTERVAL 1 HOUR <= h.settled)
    GROUP BY n.source, n.witness, n.run, s.hour, s.next_hour
),
unusual AS (
    -- those that are far longer than any before. Three times: a long night is no outage. At least two hours before
    -- the three times: a source that never missed an hour may miss some; seven days: a weekday and a weekend.
    SELECT s.*, h.longest, h.days, row_number() OVER (
        PARTITION BY s.source, s.last_hour
        ORDER BY CASE s.witness WHEN '' THEN 1 ELSE 0 END, s.missed DESC, s.witness
    ) AS nth
    FROM silences AS s
    JOIN histories AS h ON h.source = s.source AND h.witness = s.witness AND h.run = s.run
    WHERE h.days >= 7 AND s.missed > 3 * greatest(h.longest, 2)
),
chosen AS (
    -- one witness for each silence, a worker rather than everybody
    SELECT * FROM unusual WHERE nth = 1
),
ends AS (
    -- the last action before each silence and the first after it
    SELECT source, last_hour, action_uid, time, is_before FROM (
        SELECT
            c.source, c.last_hour, a.action_uid, a.time, true AS is_before,
            row_number() OVER (PARTITION BY c.source, c.last_hour ORDER BY a.time DESC, a.action_uid) AS nth
        FROM chosen AS c
        JOIN attributed AS a ON a.source = c.source AND date_trunc('hour', a.time) = c.last_hour
        UNION ALL
        SELECT
            c.source, c.last_hour, a.action_uid, a.time, false,
            row_number() OVER (PARTITION BY c.source, c.last_hour ORDER BY a.time, a.action_uid)
        FROM chosen AS c
        JOIN attributed AS a ON a.source = c.source AND date_trunc('hour', a.time) = c.next_hour
    ) AS ordered WHERE nth = 1
),
elsewhere AS (
    -- one action elsewhere for each of the first twenty hours of each silence
    SELECT source, last_hour, action_uid FROM (
        SELECT c.source, c.last_hour, h.action_uid,
            row_number() OVER (PARTITION BY c.source, c.last_hour ORDER BY h.hour) AS nth
        FROM chosen AS c
        JOIN (
            SELECT worker AS witness, hour, min(action_uid) AS action_uid FROM hours WHERE worker IS NOT NULL
            GROUP BY worker, hour
            UNION ALL
            SELECT '', hour, min(action_uid) FROM hours GROUP BY hour
        ) AS h ON h.witness = c.witness
            AND h.hour > c.last_hour AND h.hour < coalesce(c.next_hour, c.last_missed + INTERVAL 1 HOUR)
    ) AS ordered WHERE nth <= 20
),
proofs AS (
    -- the evidence: all of those
    SELECT source, last_hour, action_uid, time, is_before FROM ends
    UNION ALL
    SELECT e.source, e.last_hour, e.action_uid, a.time, false
    FROM elsewhere AS e JOIN attributed AS a ON a.action_uid = e.action_uid
),
lasts AS (
    -- when each silence began, to the second where an action tells
    SELECT source, last_hour, max(CASE WHEN is_before THEN time END) AS last_at FROM proofs GROUP BY source, last_hour
),
first_action AS (
    -- the first action of all, since which a source might have told something
    SELECT min(a.action_uid) AS action_uid, f.time
    FROM (SELECT min(time) AS time FROM attributed) AS f JOIN attributed AS a ON a.time = f.time
    GROUP BY f.time
),
mute AS (
    -- sources that never told anything, though the others' logs span more than a day
    SELECT s.source, s.format, f.action_uid, f.time
    FROM sources AS s
    LEFT JOIN told AS t ON t.source = s.source
    JOIN horizon_of_others AS h ON h.source = s.source
    JOIN first_action AS f ON f.time < h.settled
    WHERE t.source IS NULL
)
SELECT
    CAST(NULL AS VARCHAR) AS worker,
    CAST(NULL AS VARCHAR) AS principal,
    c.source AS entity,
    p.action_uid,
    p.time,
    CAST(NULL AS VARCHAR) AS chain_id,
    CASE c.witness WHEN '' THEN 'medium' ELSE 'high' END AS severity,
    CAST(NULL AS DOUBLE) AS confidence,
    c.source || ' told nothing since ' || strftime(coalesce(l.last_at, c.last_hour), '%Y-%m-%d %H:%M') || ' UTC'
        || CASE WHEN c.next_hour IS NULL THEN '' ELSE ' until ' || strftime(c.next_hour, '%Y-%m-%d %H:%M') END
        || ', ' || CAST(c.missed AS VARCHAR) || ' hours in which '
        || CASE c.witness WHEN '' THEN 'other sources told of something' ELSE c.witness || ' was active elsewhere' END AS title,
    {
        'expected': 'at most ' || CAST(c.longest AS VARCHAR) || ' such hours without a record, as in ' || CAST(c.days AS VARCHAR)
            || ' days with records before',
        'seen': CAST(c.missed AS VARCHAR) || ' hours',
        'unseen': 'whatever this source would have told meanwhile',
        'decided_by': CASE WHEN c.next_hour IS NULL THEN 'the horizon of the other sources, less 24 h for lateness'
                           ELSE 'a record of this source after the gap' END,
        'first_missed': c.first_missed,
        'last_missed': c.last_missed,
        'witness': CASE c.witness WHEN '' THEN 'any other source' ELSE c.witness END
    } AS explanation,
    CAST(NULL AS VARCHAR) AS manifest_sha,
    CAST(CAST(c.last_hour AS DATE) AS TIMESTAMP) AS day
FROM chosen AS c
JOIN proofs AS p ON p.source = c.source AND p.last_hour = c.last_hour
JOIN lasts AS l ON l.source = c.source AND l.last_hour = c.last_hour
UNION ALL
SELECT
    CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR), source, action_uid, time, CAST(NULL AS VARCHAR), 'low', CAST(NULL AS DOUBLE),
    source || ' (' || format || ') has never told anything',
    {
        'expected': 'records, since the source is configured',
        'seen': 'none',
        'unseen': 'whatever this source would have told',
        'decided_by': 'the horizon of the other sources, less 24 h for lateness',
        'first_missed': CAST(NULL AS TIMESTAMP),
        'last_missed': CAST(NULL AS TIMESTAMP),
        'witness': 'any other source'
    },
    CAST(NULL AS VARCHAR), CAST(CAST(time AS DATE) AS TIMESTAMP)
FROM mute
