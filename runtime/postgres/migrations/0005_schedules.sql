-- What is submitted again and again. `state` is 0 active, 1 paused, 2 finished, 3 removed; a row that
-- was removed stays, so that its name never fires twice for one due time. `plan` is JSON.
CREATE TABLE schedule (
    name TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    state SMALLINT NOT NULL CHECK (state BETWEEN 0 AND 3),
    due BIGINT NOT NULL,
    fired BIGINT,
    epoch BIGINT NOT NULL,
    plan TEXT NOT NULL,
    last_execution BIGINT,
    last_error TEXT,
    created_at BIGINT NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX schedule_due ON schedule (due, name) WHERE state + 0 = 0;
