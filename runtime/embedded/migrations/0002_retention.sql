-- What retention looks for: what ended and belongs to no run, in the order in which it ended.

CREATE INDEX execution_over ON execution (ended_at) WHERE status >= 7 AND run IS NULL;
