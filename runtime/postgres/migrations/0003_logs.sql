-- What the processes of attempts wrote, so that it can be read wherever the API is, and after its
-- worker is gone. Pieces are at most 64 KiB; `position` is where a piece begins in its stream, 0 is
-- standard output and 1 standard error. A piece that grew is written again at its place.
--
-- Rows are inserted, read in order and deleted by age, and hardly ever updated.
CREATE TABLE execution_log (
    execution BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    stream SMALLINT NOT NULL CHECK (stream BETWEEN 0 AND 1),
    position BIGINT NOT NULL CHECK (position >= 0),
    bytes BYTEA NOT NULL,
    written_at BIGINT NOT NULL,
    PRIMARY KEY (execution, attempt, stream, position)
);

CREATE INDEX execution_log_by_age ON execution_log (written_at);
