-- What is submitted again and again. `state` is 0 active, 1 paused, 2 finished, 3 removed; a row that
-- was removed stays, so that its name never fires twice for one due time. `plan` is JSON.
CREATE TABLE schedule (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    due INTEGER NOT NULL,
    fired INTEGER,
    epoch INTEGER NOT NULL,
    plan TEXT NOT NULL,
    last_execution INTEGER,
    last_error TEXT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX schedule_due ON schedule (due) WHERE state = 0;
