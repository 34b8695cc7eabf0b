-- Times are milliseconds since 1970, UTC. Ids of runs are 16 bytes. Failures are JSON.

-- One row for each mirror that is or was configured: queue::model::Row.
CREATE TABLE mirror (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    source_host TEXT NOT NULL,
    target_host TEXT NOT NULL,
    target TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    removed INTEGER,
    wanted INTEGER NOT NULL,
    taken INTEGER NOT NULL,
    -- The requests that no run has taken up: all of these, or none.
    waiting_run BLOB,
    waiting_cause TEXT,
    waiting_class INTEGER,
    waiting_asked INTEGER,
    waiting_begin INTEGER,
    waiting_latest INTEGER,
    waiting_unparks INTEGER,
    scheduled INTEGER,
    not_before INTEGER,
    weight TEXT NOT NULL,
    token INTEGER NOT NULL,
    -- The run that is under way: all of these, or none.
    running_run BLOB,
    running_until INTEGER,
    running_class INTEGER,
    running_weight TEXT,
    attempts INTEGER NOT NULL,
    -- The runs that have failed in a row: all of these, or none.
    failing_runs INTEGER,
    failing_since INTEGER,
    failing_failure TEXT,
    failing_alike INTEGER,
    parked_failure TEXT,
    parked_since INTEGER,
    paused INTEGER,
    last_tried INTEGER,
    last_good INTEGER,
    last_change INTEGER,
    last_run BLOB,
    last_state TEXT,
    last_failure TEXT,
    -- When a claim has to look at the row: made from the others.
    attention INTEGER
) STRICT;

CREATE UNIQUE INDEX mirror_waiting ON mirror (waiting_run) WHERE waiting_run IS NOT NULL;
CREATE UNIQUE INDEX mirror_running ON mirror (running_run) WHERE running_run IS NOT NULL;
CREATE INDEX mirror_attention ON mirror (attention) WHERE attention IS NOT NULL;

-- The last token that was given out.
CREATE TABLE token (last INTEGER NOT NULL) STRICT;
INSERT INTO token VALUES (0);

-- The runs that were begun, in the order of their numbers.
CREATE TABLE run (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE,
    mirror INTEGER NOT NULL REFERENCES mirror (id),
    state TEXT NOT NULL,
    cause TEXT NOT NULL,
    requests INTEGER NOT NULL,
    asked INTEGER NOT NULL,
    started INTEGER,
    ended INTEGER,
    token INTEGER NOT NULL,
    failure TEXT,
    details TEXT NOT NULL
) STRICT;

CREATE INDEX run_mirror ON run (mirror, number);
CREATE INDEX run_started ON run (started);

-- The hooks that arrived.
CREATE TABLE delivery (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    sender_id TEXT,
    sender TEXT NOT NULL,
    verdict TEXT NOT NULL,
    about TEXT NOT NULL
) STRICT;

CREATE INDEX delivery_at ON delivery (at);
-- What was accepted is accepted once.
CREATE UNIQUE INDEX delivery_sender_id ON delivery (endpoint, sender_id)
    WHERE verdict = 'accepted' AND sender_id IS NOT NULL;

-- The mirrors that a delivery asked for, and the run that answers each.
CREATE TABLE delivery_asked (
    delivery INTEGER NOT NULL REFERENCES delivery (number) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    mirror INTEGER NOT NULL REFERENCES mirror (id),
    run BLOB NOT NULL,
    PRIMARY KEY (delivery, position)
) STRICT, WITHOUT ROWID;
