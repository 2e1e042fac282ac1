-- The tables of the store on PostgreSQL.
--
-- Statuses and the other closed vocabularies are small integers: they are in every index and every
-- check on the hot path. The `*_name` tables say what the integers mean, and the view
-- `execution_named` shows executions with words. Moments are microseconds since 1970.
--
-- Texts compare by their bytes, as the engine compares them. PostgreSQL has no NUL in a text: it
-- stands there as U+0001 and the digit 0, and U+0001 itself as U+0001 and the digit 1, which keeps
-- the order.
--
-- Rows refer to each other without FOREIGN KEY: they are written in lock order, not in order of
-- reference, and a reference would lock what it refers to.

CREATE TABLE status_name (
    code SMALLINT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

INSERT INTO status_name (code, name) VALUES
    (0, 'requested'), (1, 'queued'), (2, 'ready'), (3, 'offered'), (4, 'accepted'),
    (5, 'running'), (6, 'backoff'), (7, 'completed'), (8, 'failed'), (9, 'timed_out'),
    (10, 'cancelled'), (11, 'abandoned');

-- Holders of a slot are statuses 2 to 5, live attempts 3 to 5, and 7 and above are over.
--
-- Nearly every update changes the status, which indexes depend on, so none stays within its page
-- (HOT); no room is kept free in the pages for that. Each update is written into every index that
-- still has the row: that is what an index costs here.
CREATE TABLE execution (
    id BIGINT PRIMARY KEY,
    version BIGINT NOT NULL,
    status SMALLINT NOT NULL CHECK (status BETWEEN 0 AND 11),
    runtime TEXT COLLATE "C",
    queue TEXT COLLATE "C" NOT NULL,
    line BIGINT,
    attempt BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    losses BIGINT NOT NULL,
    worker TEXT COLLATE "C",
    incarnation BIGINT,
    cancel_requested BOOLEAN NOT NULL,
    folded BOOLEAN NOT NULL,
    wake_at BIGINT,
    started_at BIGINT,
    ended_at BIGINT,
    cause SMALLINT CHECK (cause BETWEEN 0 AND 6),
    excluded TEXT COLLATE "C",
    run BIGINT,
    task TEXT COLLATE "C",
    occurrence BIGINT,
    item BIGINT,
    action TEXT COLLATE "C" NOT NULL,
    definition TEXT COLLATE "C" NOT NULL,
    transport SMALLINT NOT NULL CHECK (transport BETWEEN 0 AND 2),
    created_at BIGINT NOT NULL,
    retry_of BIGINT,
    selector TEXT COLLATE "C",
    policy TEXT COLLATE "C",
    idempotency_key TEXT COLLATE "C",
    fingerprint TEXT COLLATE "C",
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
    CONSTRAINT key_is_whole CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL))
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05);

CREATE UNIQUE INDEX execution_key ON execution (idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX execution_place ON execution (run, task, occurrence, COALESCE(item, -1))
    WHERE run IS NOT NULL;
-- The listings. They are in the order of `id + 0`, which the primary key does not have: the planner
-- likes to walk that from its end, trusting that what is looked for is spread evenly.
CREATE INDEX execution_by_action ON execution (action, (id + 0));
CREATE INDEX execution_by_status ON execution (status, (id + 0));
CREATE INDEX execution_by_run ON execution (run, (id + 0)) WHERE run IS NOT NULL;
-- The scans, each over as few rows as there are to find. `status + 0 = 2` is a condition that only an
-- index of the very same expression answers, and the ranges subtract so that none of them is seen to
-- follow from it. With plain statuses the planner believes that any index is good enough for what
-- its statistics say there is none of, which is what they say of everything that comes and goes.
CREATE INDEX execution_ready ON execution (runtime, id) WHERE status + 0 = 2;
CREATE INDEX execution_line ON execution (queue, line, id) WHERE status + 0 = 1;
CREATE INDEX execution_holding ON execution (queue) WHERE status - 0 BETWEEN 2 AND 5;
CREATE INDEX execution_due ON execution (wake_at, id) WHERE wake_at IS NOT NULL;
CREATE INDEX execution_live ON execution (worker, incarnation, id)
    WHERE status - 0 BETWEEN 3 AND 5 AND worker IS NOT NULL;
CREATE INDEX execution_ended_child ON execution (run, id)
    WHERE status - 0 >= 7 AND NOT folded AND run IS NOT NULL;
CREATE INDEX execution_live_child ON execution (run, cancel_requested, id)
    WHERE status - 0 < 7 AND run IS NOT NULL;

CREATE TABLE execution_parameters (
    execution BIGINT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE execution_outcome (
    execution BIGINT PRIMARY KEY,
    result TEXT,
    error TEXT
);

-- An operator's limit of -1 says: none, whatever is declared.
--
-- Few rows, written by every commit and never in a column that an index has: the free half of each
-- page keeps the new versions there (HOT).
CREATE TABLE queue (
    key TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    action TEXT COLLATE "C" NOT NULL,
    declared_limit BIGINT CHECK (declared_limit >= 0),
    operator_limit BIGINT CHECK (operator_limit >= -1),
    paused BOOLEAN NOT NULL,
    next_line BIGINT NOT NULL,
    completed BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX queue_by_action ON queue (action);

CREATE TABLE worker_state_name (
    code SMALLINT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

INSERT INTO worker_state_name (code, name) VALUES
    (0, 'active'), (1, 'suspect'), (2, 'dead'), (3, 'draining'), (4, 'gone');

CREATE TABLE worker (
    name TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    incarnation BIGINT NOT NULL,
    state SMALLINT NOT NULL CHECK (state BETWEEN 0 AND 4),
    cordoned BOOLEAN NOT NULL,
    healthy BOOLEAN NOT NULL,
    runtimes TEXT NOT NULL,
    labels TEXT NOT NULL,
    capacity BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    last_beat BIGINT NOT NULL,
    registered_at BIGINT NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE TABLE run (
    execution BIGINT PRIMARY KEY,
    version BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    open BOOLEAN NOT NULL,
    halted BOOLEAN NOT NULL,
    vars TEXT,
    visits TEXT,
    last TEXT,
    fault TEXT
) WITH (fillfactor = 70);

CREATE INDEX run_open ON run (execution) WHERE open;

-- `state` is 0 waiting, 1 running, 2 ended; `open` says whether the row still matters to its run.
CREATE TABLE visit (
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
    PRIMARY KEY (run, task, occurrence),
    CONSTRAINT unended_is_open CHECK (open OR state = 2),
    CONSTRAINT counts_fit CHECK (
        created <= total AND ended <= created AND failed <= ended AND timed_out <= failed
    )
) WITH (fillfactor = 70);

CREATE INDEX visit_open ON visit (run, task, occurrence) WHERE open;

CREATE TABLE visit_items (
    run BIGINT NOT NULL,
    task TEXT COLLATE "C" NOT NULL,
    occurrence BIGINT NOT NULL,
    page BIGINT NOT NULL,
    items TEXT NOT NULL,
    PRIMARY KEY (run, task, occurrence, page)
);

CREATE TABLE definition (
    hash TEXT COLLATE "C" PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE note (
    key TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);

-- Each value is the first of a block of 256 identities.
CREATE SEQUENCE execution_id START 1 INCREMENT 256;

CREATE VIEW execution_named AS
    SELECT
        e.id, s.name AS status, e.action, e.queue, e.line, e.attempt, e.failures, e.losses,
        e.worker, e.incarnation, e.cancel_requested, e.run, e.task, e.occurrence, e.item,
        to_timestamp(e.created_at / 1000000.0) AS created_at,
        to_timestamp(e.started_at / 1000000.0) AS started_at,
        to_timestamp(e.ended_at / 1000000.0) AS ended_at,
        to_timestamp(e.wake_at / 1000000.0) AS wake_at,
        o.error
    FROM execution e
    JOIN status_name s ON s.code = e.status
    LEFT JOIN execution_outcome o ON o.execution = e.id;
