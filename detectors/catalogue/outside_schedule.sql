/*---
id: outside_schedule
version: 2
title: The worker acted outside its hours
description: >
  A worker whose manifest names working hours began an action outside all of them. Hours are local: days and times of
  the week in the zone that each line names, the end excluded, with the zone's offset at that instant, so that the
  hour which a change of clocks repeats is inside twice, and the one that it skips never comes.
severity: medium
tags:
  - owasp.asi10
  - owasp.asi03
  - maestro.compromised-agents
  - nist.ai-rmf.measure-2.4
  - attack.t1078.004
  - atlas.aml.t0012
look_alikes:
  - case: a change of clocks, summer or winter
    separated_by: the offset of the zone at that very instant
  - case: a long upload or tunnel that is logged when it ends
    separated_by: its duration is subtracted where the record gives one, and what began inside is inside
  - case: a window that runs past midnight, or over the end of the week
    separated_by: it counts for both days
  - case: a record that arrives late
    separated_by: event time, never the time of ingestion
  - case: a worker that may run at any time
    separated_by: a manifest without a schedule is not judged
tests:
  - name: a Saturday, and a minute before and at the ends of a day's window
    working_hours: [{zone: Europe/Berlin, day: 0, start_minute: 360, end_minute: 1200, line: 30}]
    actions:
      - {time: 2026-03-02T04:59:59, api_service: s3.amazonaws.com, api_operation: GetObject}
      - {time: 2026-03-02T05:00:00}
      - {time: 2026-03-02T18:59:59.999999}
      - {time: 2026-03-02T19:00:00, api_service: s3.amazonaws.com, api_operation: GetObject}
      - {time: 2026-03-07T12:00:00, category: proxy, dst_host: crm.example, bytes_out: 2500000}
    expected:
      - {worker: w1, severity: medium, entity: worker:id/w1, evidence: [a1, a4], day: 2026-03-02, title: [w1 made 2 calls outside its hours, "first at Mon 05:59 Europe/Berlin", most often s3.amazonaws.com GetObject], explanation: ["w1.yaml:30"]}
      - {worker: w1, severity: medium, entity: worker:id/w1, evidence: [a5], day: 2026-03-07, title: [w1 made 1 call outside its hours, "Sat 13:00", 2.5 MB]}
  - name: only tried, and doubtful
    working_hours: [{day: 0, start_minute: 0, end_minute: 60}]
    actions:
      - {status: denied}
      - {time: 2026-03-03T10:00:00, strength: inferred, confidence: 0.5}
    expected:
      - {worker: w1, severity: low, entity: worker:id/w1, evidence: [a1], title: [w1 tried 1 call outside]}
      - {worker: w1, severity: info, entity: worker:id/w1, evidence: [a2]}
  - name: the hour that spring skips; after it the window begins an hour earlier in UTC
    working_hours: [{zone: Europe/Berlin, day: 6, start_minute: 120, end_minute: 240}]
    actions:
      - {time: 2026-03-29T00:59:59}
      - {time: 2026-03-29T01:00:00}
      - {time: 2026-03-29T01:59:59}
      - {time: 2026-03-29T02:00:00}
    expected: [{worker: w1, severity: medium, entity: worker:id/w1, evidence: [a1, a4], title: ["first at Sun 01:59"]}]
  - name: the hour that autumn repeats is inside twice
    working_hours: [{zone: Europe/Berlin, day: 6, start_minute: 120, end_minute: 180}]
    actions:
      - {time: 2026-10-24T23:59:59}
      - {time: 2026-10-25T00:00:00}
      - {time: 2026-10-25T00:59:59}
      - {time: 2026-10-25T01:00:00}
      - {time: 2026-10-25T01:59:59}
      - {time: 2026-10-25T02:00:00}
    expected:
      - {worker: w1, severity: medium, entity: worker:id/w1, evidence: [a1], day: 2026-10-24}
      - {worker: w1, severity: medium, entity: worker:id/w1, evidence: [a6], day: 2026-10-25, title: ["first at Sun 03:00"]}
  - name: a night from Sunday to Monday, and one from Friday to Saturday, in two zones
    working_hours:
      - {zone: America/New_York, day: 6, start_minute: 1320, end_minute: 1440}
      - {zone: America/New_York, day: 0, start_minute: 0, end_minute: 360}
      - {zone: Asia/Kathmandu, day: 4, start_minute: 1320, end_minute: 1440}
      - {zone: Asia/Kathmandu, day: 5, start_minute: 0, end_minute: 60}
    actions:
      - {time: 2026-03-02T02:59:00}
      - {time: 2026-03-02T03:00:00}
      - {time: 2026-03-02T10:59:59}
      - {time: 2026-03-02T11:00:00}
      - {time: 2026-03-06T16:14:00}
      - {time: 2026-03-06T16:15:00}
      - {time: 2026-03-06T19:14:00}
    expected:
      - {worker: w1, severity: medium, entity: worker:id/w1, evidence: [a1, a4], day: 2026-03-02}
      - {worker: w1, severity: medium, entity: worker:id/w1, evidence: [a5], day: 2026-03-06}
  - name: each manifest has its own hours
    working_hours:
      - {manifest_sha: sha-1, day: 0, start_minute: 0, end_minute: 1440}
      - {manifest_sha: sha-2, day: 1, start_minute: 0, end_minute: 1440}
    actions: [{manifest_sha: sha-1}, {manifest_sha: sha-2}]
    expected: [{worker: w1, severity: medium, entity: worker:id/w1, evidence: [a2]}]
  - name: what began inside is inside; a call that begins at its record does not end the day earlier
    working_hours: [{day: 0, start_minute: 540, end_minute: 600}]
    actions:
      - {time: 2026-03-02T12:00:00, time_kind: end, duration_ms: 7200001}
      - {time: 2026-03-02T09:59:59, time_kind: start, duration_ms: 7200000}
      - {time: 2026-03-02T10:00:01, time_kind: logged, duration_ms: 2000}
    expected: []
  - name: all day long on the days when clocks change
    working_hours: [{zone: Europe/Berlin, day: 6, start_minute: 0, end_minute: 1440}]
    actions:
      - {time: 2026-03-28T23:00:00}
      - {time: 2026-03-29T01:30:00}
      - {time: 2026-03-29T21:59:59}
      - {time: 2026-10-24T22:00:00}
      - {time: 2026-10-25T01:30:00}
      - {time: 2026-10-25T22:59:59.999999}
    expected: []
  - name: no schedule, nobody, another worker's hours
    working_hours: [{worker: w2, manifest_sha: sha-w2, day: 1}]
    actions: [{}, {worker: null}, {worker: w3, manifest_sha: sha-w3}]
    expected: []
---*/

WITH scheduled AS (
    -- manifests with working hours, with the zones that they name and the place of the first line
    SELECT worker, manifest_sha, zone, min(file) AS file, min(line) AS line, min(ordinal) AS ordinal
    FROM working_hours GROUP BY worker, manifest_sha, zone
),
begun AS (
    -- each action of such a worker with when it began, in microseconds since Monday, 5 January 1970
    SELECT
        a.action_uid, a.worker, a.manifest_sha,
        date_diff('microsecond', TIMESTAMP '1970-01-05', a.time)
            - CASE WHEN a.time_kind <> 'start' THEN coalesce(a.duration_ms, 0) * 1000 ELSE 0 END AS instant
    FROM attributed AS a
    JOIN (SELECT DISTINCT worker, manifest_sha FROM scheduled) AS s ON s.worker = a.worker AND s.manifest_sha = a.manifest_sha
),
minutes AS (
    -- the minutes in which any of them began: hours and offsets change with a minute, so one answer serves it whole
    SELECT DISTINCT worker, manifest_sha, (instant - ((instant % 60000000) + 60000000) % 60000000) // 60000000 AS minute
    FROM begun
),
offsets AS (
    -- the offsets of each zone by stretches of the same minutes; the first holds from the beginning
    SELECT
        zone, offset_minutes, date_diff('minute', TIMESTAMP '1970-01-05', to_utc) AS to_minute,
        CASE WHEN row_number() OVER (PARTITION BY zone ORDER BY from_utc) = 1 THEN -1000000000
             ELSE date_diff('minute', TIMESTAMP '1970-01-05', from_utc) END AS from_minute
    FROM zone_offsets
),
local_minutes AS (
    -- those minutes in each zone of the manifest, as minutes of the local week from Monday
    SELECT
        m.worker, m.manifest_sha, m.minute, s.zone, s.ordinal, s.file, s.line,
        (((m.minute + o.offset_minutes) % 10080) + 10080) % 10080 AS of_week
    FROM minutes AS m
    JOIN scheduled AS s ON s.worker = m.worker AND s.manifest_sha = m.manifest_sha
    JOIN offsets AS o ON o.zone = s.zone AND m.minute >= o.from_minute AND m.minute < o.to_minute
),
inside AS (
    -- the minutes that lie within some window
    SELECT DISTINCT l.worker, l.manifest_sha, l.minute
    FROM local_minutes AS l
    JOIN working_hours AS h ON h.worker = l.worker AND h.manifest_sha = l.manifest_sha AND h.zone = l.zone
        AND l.of_week >= h.day * 1440 + h.start_minute AND l.of_week < h.day * 1440 + h.end_minute
),
outside AS (
    -- the others, as the first line's zone tells them
    SELECT * FROM (
        SELECT l.*, row_number() OVER (PARTITION BY l.worker, l.manifest_sha, l.minute ORDER BY l.ordinal, l.zone) AS nth
        FROM local_minutes AS l
        LEFT JOIN inside AS i ON i.worker = l.worker AND i.manifest_sha = l.manifest_sha AND i.minute = l.minute
        WHERE i.minute IS NULL
    ) AS first_zone WHERE nth = 1
),
lapses AS (
    -- the actions that began in those
    SELECT
        a.*, o.zone, o.of_week, o.file, o.line, b.instant, CAST(a.time AS DATE) AS day,
        coalesce(a.api_service || ' ' || a.api_operation, lower(a.dst_host), a.dst_ip, a.tool, a.model, 'a call') AS called,
        a.status IN ('denied', 'failure') AS tried
    FROM begun AS b
    JOIN outside AS o ON o.worker = b.worker AND o.manifest_sha = b.manifest_sha
        AND o.minute = (b.instant - ((b.instant % 60000000) + 60000000) % 60000000) // 60000000
    JOIN attributed AS a ON a.action_uid = b.action_uid
),
calls AS (
    -- what was called on each day, the most frequent first
    SELECT worker, day, called, row_number() OVER (PARTITION BY worker, day ORDER BY count(*) DESC, called) AS nth
    FROM lapses GROUP BY worker, day, called
),
firsts AS (
    -- the first of each day
    SELECT * FROM (
        SELECT worker, day, zone, of_week, row_number() OVER (PARTITION BY worker, day ORDER BY instant, action_uid) AS nth
        FROM lapses
    ) AS ordered WHERE nth = 1
),
days AS (
    -- each day in figures
    SELECT
        worker, day, count(*) AS calls, min(CASE WHEN tried THEN 1 ELSE 0 END) = 1 AS only_tried,
        CAST(coalesce(sum(bytes_out), 0) AS DOUBLE) AS bytes_out
    FROM lapses GROUP BY worker, day
),
amounts AS (
    -- the amounts of bytes that titles tell, each with the largest unit that it fills (MB is 10^6)
    SELECT
        bytes,
        CASE
            WHEN bytes >= 1000000000000 THEN 1000000000000 WHEN bytes >= 1000000000 THEN 1000000000
            WHEN bytes >= 1000000 THEN 1000000 WHEN bytes >= 1000 THEN 1000 ELSE 1
        END AS unit
    FROM (SELECT DISTINCT bytes_out AS bytes FROM days) AS told
),
sizes AS (
    -- the same in words, with three digits, as `detectors.sizes` writes them
    SELECT
        bytes,
        CASE
            WHEN bytes < 10 * unit THEN rtrim(rtrim(CAST(CAST(bytes / unit AS DECIMAL(38, 2)) AS VARCHAR), '0'), '.')
            WHEN bytes < 100 * unit THEN rtrim(rtrim(CAST(CAST(bytes / unit AS DECIMAL(38, 1)) AS VARCHAR), '0'), '.')
            ELSE CAST(CAST(bytes / unit AS DECIMAL(38, 0)) AS VARCHAR)
        END || CASE unit
            WHEN 1 THEN ' B' WHEN 1000 THEN ' kB' WHEN 1000000 THEN ' MB' WHEN 1000000000 THEN ' GB' ELSE ' TB'
        END AS words
    FROM amounts
)
SELECT
    l.worker,
    l.principal,
    'worker:id/' || l.worker AS entity,
    l.action_uid,
    l.time,
    l.chain_id,
    CASE WHEN l.tried THEN 'low' ELSE 'medium' END AS severity,
    l.confidence,
    l.worker || CASE WHEN d.only_tried THEN ' tried ' ELSE ' made ' END || CAST(d.calls AS VARCHAR)
        || CASE d.calls WHEN 1 THEN ' call' ELSE ' calls' END || ' outside its hours, first at '
        || CASE f.of_week // 1440 WHEN 0 THEN 'Mon ' WHEN 1 THEN 'Tue ' WHEN 2 THEN 'Wed ' WHEN 3 THEN 'Thu '
                                  WHEN 4 THEN 'Fri ' WHEN 5 THEN 'Sat ' ELSE 'Sun ' END
        || lpad(CAST((f.of_week % 1440) // 60 AS VARCHAR), 2, '0') || ':' || lpad(CAST(f.of_week % 60 AS VARCHAR), 2, '0')
        || ' ' || f.zone || ', most often ' || substr(c.called, 1, 120)
        || CASE WHEN d.bytes_out >= 100000 THEN ' (' || z.words || ' sent)' ELSE '' END AS title,
    {
        'expected': 'actions that begin within the schedule (' || coalesce(l.file, 'manifest') || ':'
            || coalesce(CAST(l.line AS VARCHAR), '?') || ')',
        'seen': l.called || ' (' || l.status || ')',
        'unseen': CASE WHEN l.time_kind <> 'start' AND l.duration_ms IS NULL
                       THEN 'how long it took: this log tells no duration, so its record counts as its beginning' END,
        'calls': d.calls,
        'bytes_out': d.bytes_out,
        'zone': l.zone,
        'attribution': l.strength
    } AS explanation,
    l.manifest_sha
FROM lapses AS l
JOIN days AS d ON d.worker = l.worker AND d.day = l.day
JOIN firsts AS f ON f.worker = l.worker AND f.day = l.day
JOIN calls AS c ON c.worker = l.worker AND c.day = l.day AND c.nth = 1
JOIN sizes AS z ON z.bytes = d.bytes_out
