-- The tables of the embedded store.
--
-- Statuses and the other closed vocabularies are small integers: they are in every index and every
-- check on the hot path, where a byte is compared much faster than a word. The `*_name` tables say
-- what the integers mean, and the view `execution_named` shows executions with words.
--
-- Rows refer to each other without FOREIGN KEY: they are written in lock order, not in order of
-- reference; the integrity check looks for dangling rows instead.

CREATE TABLE status_name (
    code INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

INSERT INTO status_name (code, name) VALUES
    (0, 'requested'), (1, 'queued'), (2, 'ready'), (3, 'offered'), (4, 'accepted'),
    (5, 'running'), (6, 'backoff'), (7, 'completed'), (8, 'failed'), (9, 'timed_out'),
    (10, 'cancelled'), (11, 'abandoned');

-- Holders of a slot are statuses 2 to 5, live attempts 3 to 5, and 7 and above are over.
CREATE TABLE execution (
    id INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 11),
    runtime TEXT,
    queue TEXT NOT NULL,
    line INTEGER,
    attempt INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    losses INTEGER NOT NULL,
    worker TEXT,
    incarnation INTEGER,
    cancel_requested INTEGER NOT NULL CHECK (cancel_requested IN (0, 1)),
    folded INTEGER NOT NULL CHECK (folded IN (0, 1)),
    wake_at INTEGER,
    started_at INTEGER,
    ended_at INTEGER,
    cause INTEGER CHECK (cause BETWEEN 0 AND 6),
    excluded TEXT,
    run INTEGER,
    task TEXT,
    occurrence INTEGER,
    item INTEGER,
    action TEXT NOT NULL,
    definition TEXT NOT NULL,
    transport INTEGER NOT NULL CHECK (transport BETWEEN 0 AND 2),
    created_at INTEGER NOT NULL,
    retry_of INTEGER,
    selector TEXT,
    policy TEXT,
    idempotency_key TEXT,
    fingerprint TEXT,
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
    CONSTRAINT folded_child_is_over CHECK (folded = 0 OR (status >= 7 AND run IS NOT NULL)),
    CONSTRAINT key_is_whole CHECK ((idempotency_key IS NULL) = (fingerprint IS NULL))
) STRICT;

CREATE UNIQUE INDEX execution_key ON execution (idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE UNIQUE INDEX execution_place ON execution (run, task, occurrence, COALESCE(item, -1))
    WHERE run IS NOT NULL;
-- The listings; the row's id is the last column of every index.
CREATE INDEX execution_by_action ON execution (action);
CREATE INDEX execution_by_status ON execution (status);
CREATE INDEX execution_by_run ON execution (run) WHERE run IS NOT NULL;
-- The scans, each over as few rows as there are to find.
CREATE INDEX execution_ready ON execution (runtime) WHERE status = 2;
CREATE INDEX execution_line ON execution (queue, line) WHERE status = 1;
CREATE INDEX execution_holding ON execution (queue) WHERE status BETWEEN 2 AND 5;
CREATE INDEX execution_due ON execution (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX execution_live ON execution (worker, incarnation)
    WHERE status BETWEEN 3 AND 5 AND worker IS NOT NULL;
CREATE INDEX execution_ended_child ON execution (run)
    WHERE status >= 7 AND folded = 0 AND run IS NOT NULL;
CREATE INDEX execution_live_child ON execution (run, cancel_requested)
    WHERE status < 7 AND run IS NOT NULL;

CREATE TABLE execution_parameters (
    execution INTEGER PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE execution_outcome (
    execution INTEGER PRIMARY KEY,
    result TEXT,
    error TEXT
) STRICT;

-- An operator's limit of -1 says: none, whatever is declared.
CREATE TABLE queue (
    key TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    action TEXT NOT NULL,
    declared_limit INTEGER CHECK (declared_limit >= 0),
    operator_limit INTEGER CHECK (operator_limit >= -1),
    paused INTEGER NOT NULL CHECK (paused IN (0, 1)),
    next_line INTEGER NOT NULL,
    completed INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX queue_by_action ON queue (action);

CREATE TABLE worker_state_name (
    code INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

INSERT INTO worker_state_name (code, name) VALUES
    (0, 'active'), (1, 'suspect'), (2, 'dead'), (3, 'draining'), (4, 'gone');

CREATE TABLE worker (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
    cordoned INTEGER NOT NULL CHECK (cordoned IN (0, 1)),
    healthy INTEGER NOT NULL CHECK (healthy IN (0, 1)),
    runtimes TEXT NOT NULL,
    labels TEXT NOT NULL,
    capacity INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    last_beat INTEGER NOT NULL,
    registered_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
    execution INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    open INTEGER NOT NULL CHECK (open IN (0, 1)),
    halted INTEGER NOT NULL CHECK (halted IN (0, 1)),
    vars TEXT,
    visits TEXT,
    last TEXT,
    fault TEXT
) STRICT;

CREATE INDEX run_open ON run (execution) WHERE open = 1;

-- `state` is 0 waiting, 1 running, 2 ended; `open` says whether the row still matters to its run.
CREATE TABLE visit (
    run INTEGER NOT NULL,
    task TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    version INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),
    status INTEGER CHECK (status BETWEEN 0 AND 11),
    arrived TEXT,
    needed INTEGER NOT NULL,
    absorbing INTEGER NOT NULL CHECK (absorbing IN (0, 1)),
    listed INTEGER NOT NULL CHECK (listed IN (0, 1)),
    elements INTEGER NOT NULL,
    batch_size INTEGER NOT NULL,
    total INTEGER NOT NULL,
    created INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    timed_out INTEGER NOT NULL,
    concurrency INTEGER NOT NULL,
    vars TEXT,
    not_before INTEGER,
    error TEXT,
    open INTEGER NOT NULL,
    PRIMARY KEY (run, task, occurrence),
    CONSTRAINT unended_is_open CHECK (open = 1 OR (open = 0 AND state = 2)),
    CONSTRAINT counts_fit CHECK (
        created <= total AND ended <= created AND failed <= ended AND timed_out <= failed
    )
) STRICT;

CREATE INDEX visit_open ON visit (run) WHERE open = 1;

CREATE TABLE visit_items (
    run INTEGER NOT NULL,
    task TEXT NOT NULL,
    occurrence INTEGER NOT NULL,
    page INTEGER NOT NULL,
    items TEXT NOT NULL,
    PRIMARY KEY (run, task, occurrence, page)
) STRICT;

CREATE TABLE definition (
    hash TEXT PRIMARY KEY,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE note (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Identities below `reserved` may have been given out.
CREATE TABLE idblock (
    singleton INTEGER PRIMARY KEY CHECK (singleton = 1),
    reserved INTEGER NOT NULL
) STRICT;

INSERT INTO idblock (singleton, reserved) VALUES (1, 1);

CREATE VIEW execution_named AS
    SELECT
        e.id, s.name AS status, e.action, e.queue, e.line, e.attempt, e.failures, e.losses,
        e.worker, e.incarnation, e.cancel_requested, e.run, e.task, e.occurrence, e.item,
        datetime(e.created_at / 1000000, 'unixepoch') AS created_at,
        datetime(e.started_at / 1000000, 'unixepoch') AS started_at,
        datetime(e.ended_at / 1000000, 'unixepoch') AS ended_at,
        datetime(e.wake_at / 1000000, 'unixepoch') AS wake_at,
        o.error
    FROM execution e
    JOIN status_name s ON s.code = e.status
    LEFT JOIN execution_outcome o ON o.execution = e.id;
