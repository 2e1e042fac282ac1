-- Live work apart from history.
--
-- `execution`, `run`, `visit` and `visit_items` become partitioned by `filed`: 0 for what is live,
-- in a small table with all the indexes of the hot path, and a moment (microseconds) for what has
-- been put away, in a table for each day with the few indexes of the listings. A day is dropped as
-- a whole. What belongs to no run is filed in the transaction in which it ends; what belongs to a
-- run, after its run.
--
-- History is `filed >= 1`, and what is live is `filed = 0`: with `> 0` the planner, which knows no
-- integers here, would look among the living as well.
--
-- Rows move between partitions by an update of `filed`, and PostgreSQL tells whoever waited for the
-- row (40001: decide again). Parameters and outcome stand in the execution's row and move with it.
--
-- The columns that change stand last. A new version on the page of the old one is then logged as
-- the bytes behind what they have in common; half of each page of the live table is kept for that.

ALTER TABLE execution RENAME TO old_execution;
ALTER TABLE run RENAME TO old_run;
ALTER TABLE visit RENAME TO old_visit;
ALTER TABLE visit_items RENAME TO old_visit_items;
DROP VIEW execution_named;
-- It has the name of a table that is made here.
DROP INDEX execution_live;

CREATE TABLE execution (
    filed BIGINT NOT NULL DEFAULT 0,
    id BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    retry_of BIGINT,
    run BIGINT,
    occurrence BIGINT,
    item BIGINT,
    transport SMALLINT NOT NULL CHECK (transport BETWEEN 0 AND 2),
    task TEXT COLLATE "C",
    runtime TEXT COLLATE "C",
    queue TEXT COLLATE "C" NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    definition TEXT COLLATE "C" NOT NULL,
    selector TEXT COLLATE "C",
    policy TEXT COLLATE "C",
    idempotency_key TEXT COLLATE "C",
    fingerprint TEXT COLLATE "C",
    parameters TEXT,
    version BIGINT NOT NULL,
    line BIGINT,
    attempt BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    losses BIGINT NOT NULL,
    incarnation BIGINT,
    wake_at BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    status SMALLINT NOT NULL CHECK (status BETWEEN 0 AND 11),
    cause SMALLINT CHECK (cause BETWEEN 0 AND 6),
    cancel_requested BOOLEAN NOT NULL,
    folded BOOLEAN NOT NULL,
    has_outcome BOOLEAN NOT NULL DEFAULT false,
    worker TEXT COLLATE "C",
    excluded TEXT COLLATE "C",
    result TEXT,
    error TEXT,
    CONSTRAINT over_has_an_end CHECK ((status >= 7) = (ended_at IS NOT NULL)),
    CONSTRAINT over_is_not_woken CHECK (status < 7 OR wake_at IS NULL),
    CONSTRAINT in_line_has_a_place CHECK (status NOT BETWEEN 1 AND 5 OR line IS NOT NULL),
    CONSTRAINT attempt_has_a_worker
        CHECK (status NOT BETWEEN 3 AND 5 OR worker IS NOT NULL OR runtime IS NULL),
    CONSTRAINT worker_has_an_attempt
        CHECK (worker IS NULL OR status BETWEEN 3 AND 5 OR status >= 7),
    CONSTRAINT worker_is_whole CHECK ((worker IS NULL) = (incarnation IS NULL)),
    CONSTRAINT place_is_whole CHECK (
        (run IS NULL) = (task IS NULL) AND (run IS NULL) = (occurrence IS NULL)
        AND (run IS NOT NULL OR item IS NULL)
    ),
    CONSTRAINT folded_child_is_over CHECK (NOT folded OR (status >= 7 AND run IS NOT NULL)),
    CONSTRAINT key_is_whole CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL)),
    CONSTRAINT filed_is_over CHECK (filed = 0 OR status >= 7)
) PARTITION BY RANGE (filed);

CREATE TABLE run (
    filed BIGINT NOT NULL DEFAULT 0,
    execution BIGINT NOT NULL,
    version BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    open BOOLEAN NOT NULL,
    halted BOOLEAN NOT NULL,
    vars TEXT,
    visits TEXT,
    last TEXT,
    fault TEXT
) PARTITION BY RANGE (filed);

-- `state` is 0 waiting, 1 running, 2 ended; `open` says whether the row still matters to its run.
CREATE TABLE visit (
    filed BIGINT NOT NULL DEFAULT 0,
    run BIGINT NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    occurrence BIGINT NOT NULL,
    version BIGINT NOT NULL,
    state SMALLINT NOT NULL CHECK (state BETWEEN 0 AND 2),
    status SMALLINT CHECK (status BETWEEN 0 AND 11),
    arrived TEXT,
    needed BIGINT NOT NULL,
    absorbing BOOLEAN NOT NULL,
    listed BOOLEAN NOT NULL,
    elements BIGINT NOT NULL,
    batch_size BIGINT NOT NULL,
    total BIGINT NOT NULL,
    created BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    timed_out BIGINT NOT NULL,
    concurrency BIGINT NOT NULL,
    vars TEXT,
    not_before BIGINT,
    error TEXT,
    open BOOLEAN NOT NULL,
    CONSTRAINT unended_is_open CHECK (open OR state = 2),
    CONSTRAINT counts_fit CHECK (
        created <= total AND ended <= created AND failed <= ended AND timed_out <= failed
    )
) PARTITION BY RANGE (filed);

CREATE TABLE visit_items (
    filed BIGINT NOT NULL DEFAULT 0,
    run BIGINT NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    occurrence BIGINT NOT NULL,
    page BIGINT NOT NULL,
    items TEXT NOT NULL
) PARTITION BY RANGE (filed);

CREATE TABLE execution_live PARTITION OF execution FOR VALUES FROM (0) TO (1)
    WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05,
          autovacuum_vacuum_insert_scale_factor = 0.05);
CREATE TABLE run_live PARTITION OF run FOR VALUES FROM (0) TO (1) WITH (fillfactor = 70);
CREATE TABLE visit_live PARTITION OF visit FOR VALUES FROM (0) TO (1) WITH (fillfactor = 70);
CREATE TABLE visit_items_live PARTITION OF visit_items FOR VALUES FROM (0) TO (1);

-- What is live. The indexes are the price of every insert and of every change of status. Listings
-- have none of their own: those of what is under way, in backoff or not yet in line use the scans'
-- and the few others walk the living from the newest.
CREATE UNIQUE INDEX execution_live_id ON execution_live (id);
CREATE UNIQUE INDEX execution_live_key ON execution_live (idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX execution_live_place
    ON execution_live (run, task, occurrence, COALESCE(item, -1)) WHERE run IS NOT NULL;
CREATE INDEX execution_live_run ON execution_live (run, (id + 0)) WHERE run IS NOT NULL;
-- The scans, each over as few rows as there are to find. `status + 0 = 2` is a condition that only an
-- index of the very same expression answers, and the ranges subtract so that none of them is seen to
-- follow from it. With plain statuses the planner believes that any index is good enough for what
-- its statistics say there is none of, which is what they say of everything that comes and goes.
CREATE INDEX execution_live_ready ON execution_live (runtime, id) WHERE status + 0 = 2;
CREATE INDEX execution_live_line ON execution_live (queue, line, id) WHERE status + 0 = 1;
CREATE INDEX execution_live_holding ON execution_live (queue) WHERE status - 0 BETWEEN 2 AND 5;
CREATE INDEX execution_live_due ON execution_live (wake_at, id) WHERE wake_at IS NOT NULL;
CREATE INDEX execution_live_attempt ON execution_live (worker, incarnation, id)
    WHERE status - 0 BETWEEN 3 AND 5;
CREATE INDEX execution_live_apart ON execution_live (id) WHERE status + 0 IN (0, 6);
CREATE INDEX execution_live_ended_child ON execution_live (run, id)
    WHERE status - 0 >= 7 AND NOT folded AND run IS NOT NULL;
CREATE INDEX execution_live_live_child ON execution_live (run, cancel_requested, id)
    WHERE status - 0 < 7 AND run IS NOT NULL;
-- What is over, belongs to no run and is not filed yet: workflows.
CREATE INDEX execution_live_over ON execution_live (id) WHERE status - 0 >= 7 AND run IS NULL;
CREATE UNIQUE INDEX run_live_id ON run_live (execution);
CREATE INDEX run_live_open ON run_live (execution) WHERE open;
CREATE UNIQUE INDEX visit_live_id ON visit_live (run, task, occurrence);
CREATE INDEX visit_live_open ON visit_live (run, task, occurrence) WHERE open;
CREATE UNIQUE INDEX visit_items_live_id ON visit_items_live (run, task, occurrence, page);

-- The indexes of a table of history.
CREATE FUNCTION index_history(parent TEXT, part TEXT) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CASE parent
    WHEN 'execution' THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (id)', part || '_id', part);
        EXECUTE format('CREATE INDEX %I ON %I (action, (id + 0))', part || '_action', part);
        EXECUTE format('CREATE INDEX %I ON %I (status, (id + 0)) WHERE status <> 7',
                       part || '_status', part);
        EXECUTE format('CREATE INDEX %I ON %I (run, (id + 0)) WHERE run IS NOT NULL',
                       part || '_run', part);
        EXECUTE format('CREATE INDEX %I ON %I (idempotency_key) '
                       'WHERE idempotency_key IS NOT NULL', part || '_key', part);
    WHEN 'run' THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (execution)', part || '_id', part);
    WHEN 'visit' THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (run, task, occurrence)', part || '_id', part);
    WHEN 'visit_items' THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I (run, task, occurrence, page)',
                       part || '_id', part);
    END CASE;
END $$;

-- What was filed when there was no table for its day, so that no insert ever fails for that.
CREATE TABLE execution_rest PARTITION OF execution DEFAULT;
CREATE TABLE run_rest PARTITION OF run DEFAULT;
CREATE TABLE visit_rest PARTITION OF visit DEFAULT;
CREATE TABLE visit_items_rest PARTITION OF visit_items DEFAULT;
SELECT index_history('execution', 'execution_rest'), index_history('run', 'run_rest'),
       index_history('visit', 'visit_rest'), index_history('visit_items', 'visit_items_rest');

-- Makes the tables of a day (counted from 1970), if they are not there, and moves what stands in
-- the default partition into them. It takes no lock on the parent that readers or writers wait for;
-- the default partition is locked for as long as it takes to find nothing in it.
CREATE FUNCTION make_day(day BIGINT) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE
    parent TEXT;
    part TEXT;
    first BIGINT := greatest(day * 86400000000, 1);
    after BIGINT := (day + 1) * 86400000000;
    made BOOLEAN := false;
BEGIN
    FOREACH parent IN ARRAY ARRAY['execution', 'run', 'visit', 'visit_items'] LOOP
        part := parent || '_' || to_char(date '1970-01-01' + day::int, 'YYYYMMDD');
        CONTINUE WHEN to_regclass('steadfast.' || part) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                       part, parent);
        EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', parent || '_rest');
        EXECUTE format('WITH moved AS (DELETE FROM %I WHERE filed >= %s AND filed < %s '
                       'RETURNING *) INSERT INTO %I SELECT * FROM moved',
                       parent || '_rest', first, after, part);
        PERFORM index_history(parent, part);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                       parent, part, first, after);
        made := true;
    END LOOP;
    RETURN made;
END $$;

-- The days that have tables, oldest first.
CREATE FUNCTION days() RETURNS TABLE (day BIGINT) LANGUAGE sql STABLE AS $$
    SELECT to_date(right(c.relname, 8), 'YYYYMMDD') - date '1970-01-01'
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'steadfast.execution'::regclass AND c.relname ~ '^execution_[0-9]{8}$'
    ORDER BY 1
$$;

-- Drops the tables of a day, and says how many executions they had as far as statistics know. It
-- waits for whoever reads history, and those who come later wait for it: give it little time.
CREATE FUNCTION drop_day(day BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
    parent TEXT;
    suffix TEXT := to_char(date '1970-01-01' + day::int, '_YYYYMMDD');
    known BIGINT;
BEGIN
    SELECT greatest(c.reltuples, pg_stat_get_live_tuples(c.oid))::bigint INTO known
    FROM pg_class c WHERE c.oid = to_regclass('steadfast.execution' || suffix);
    FOREACH parent IN ARRAY ARRAY['execution', 'run', 'visit', 'visit_items'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I', parent || suffix);
    END LOOP;
    RETURN COALESCE(known, 0);
END $$;

-- When a process last said that it has this definition, in microseconds: what nobody has said for
-- longer than history is kept, and nothing is pinned to, may go.
ALTER TABLE definition ADD COLUMN seen_at BIGINT NOT NULL
    DEFAULT (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint;

-- From here on, and each day on which something has ended.
DO $$
DECLARE
    day BIGINT;
    today BIGINT := floor(extract(epoch FROM transaction_timestamp()) / 86400);
BEGIN
    FOR day IN
        SELECT DISTINCT ended_at / 86400000000 FROM old_execution
        WHERE ended_at / 86400000000 BETWEEN today - 60 AND today
        UNION SELECT * FROM generate_series(today, today + 3)
    LOOP
        PERFORM make_day(day);
    END LOOP;
END $$;

-- Children stay live here; the next sweep files those whose run is over.
INSERT INTO execution (
    filed, id, created_at, retry_of, run, occurrence, item, transport, task, runtime, queue, action,
    definition, selector, policy, idempotency_key, fingerprint, parameters, version, line, attempt,
    failures, losses, incarnation, wake_at, started_at, ended_at, status, cause, cancel_requested,
    folded, has_outcome, worker, excluded, result, error
) SELECT
    CASE WHEN status >= 7 AND run IS NULL AND NOT EXISTS (
        SELECT FROM old_run r WHERE r.execution = e.id
    ) THEN greatest(ended_at, 1) ELSE 0 END,
    id, created_at, retry_of, run, occurrence, item, transport, task, runtime, queue, action,
    definition, selector, policy, idempotency_key, fingerprint, p.value, version, line, attempt,
    failures, losses, incarnation, wake_at, started_at, ended_at, status, cause, cancel_requested,
    folded, o.execution IS NOT NULL, worker, excluded, o.result, o.error
FROM old_execution e
LEFT JOIN execution_parameters p ON p.execution = e.id
LEFT JOIN execution_outcome o ON o.execution = e.id;
INSERT INTO run SELECT 0, r.* FROM old_run r;
INSERT INTO visit SELECT 0, v.* FROM old_visit v;
INSERT INTO visit_items SELECT 0, i.* FROM old_visit_items i;
DROP TABLE old_execution, old_run, old_visit, old_visit_items, execution_parameters,
           execution_outcome;

CREATE VIEW execution_named AS
    SELECT
        e.id, s.name AS status, e.action, e.queue, e.line, e.attempt, e.failures, e.losses,
        e.worker, e.incarnation, e.cancel_requested, e.run, e.task, e.occurrence, e.item,
        to_timestamp(e.created_at / 1000000.0) AS created_at,
        to_timestamp(e.started_at / 1000000.0) AS started_at,
        to_timestamp(e.ended_at / 1000000.0) AS ended_at,
        to_timestamp(e.wake_at / 1000000.0) AS wake_at,
        to_timestamp(NULLIF(e.filed, 0) / 1000000.0) AS filed_at,
        e.error
    FROM execution e
    JOIN status_name s ON s.code = e.status;
