-- What the outside world is told of ends, and whom each end is told to.
--
-- kind: 0 webhook, 1 notification, 2 billing, 3 status_report, 4 run_count, 5 clean_up, 6 export.
-- fires: 0 completed, 1 unsuccessful, 2 ended. state: 0 planned, 1 sending, 2 delivered, 3 gave_up.

ALTER TABLE execution ADD COLUMN wishes TEXT;

CREATE TABLE effect (
    execution INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 6),
    target TEXT NOT NULL,
    version INTEGER NOT NULL,
    place INTEGER NOT NULL,
    fires INTEGER NOT NULL CHECK (fires BETWEEN 0 AND 2),
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    sends INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    retry TEXT NOT NULL,
    wake_at INTEGER,
    error TEXT,
    planned_at INTEGER NOT NULL,
    ended_at INTEGER,
    notice TEXT NOT NULL,
    CONSTRAINT over_has_an_end CHECK ((state >= 2) = (ended_at IS NOT NULL)),
    CONSTRAINT due_until_over CHECK ((state >= 2) = (wake_at IS NULL)),
    PRIMARY KEY (execution, generation, kind, target)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX effect_place ON effect (execution DESC, place, generation);
CREATE INDEX effect_due ON effect (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX effect_by_state ON effect (state, execution DESC, place);
CREATE INDEX effect_over ON effect (ended_at) WHERE ended_at IS NOT NULL;
