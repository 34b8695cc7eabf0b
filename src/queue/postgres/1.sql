-- Times are milliseconds since 1970, UTC, by the clock of this database. Failures are JSON.

-- One row for each mirror that is or was configured: queue::model::Row. A row is written over in its place as often
-- as its mirror is run, so there is room beside it, and what is left behind is cleared away early.
CREATE TABLE mirror (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    owner text NOT NULL,
    source_host text NOT NULL,
    target_host text NOT NULL,
    target text NOT NULL,
    fingerprint text NOT NULL,
    removed bigint,
    wanted bigint NOT NULL,
    taken bigint NOT NULL,
    -- The requests that no run has taken up: all of these, or none.
    waiting_run uuid,
    waiting_cause text,
    waiting_class bigint,
    waiting_asked bigint,
    waiting_begin bigint,
    waiting_latest bigint,
    waiting_unparks bigint,
    scheduled bigint,
    not_before bigint,
    weight text NOT NULL,
    token bigint NOT NULL,
    -- The run that is under way: all of these, or none.
    running_run uuid,
    running_until bigint,
    running_class bigint,
    running_weight text,
    attempts bigint NOT NULL,
    -- The runs that have failed in a row: all of these, or none.
    failing_runs bigint,
    failing_since bigint,
    failing_failure text,
    failing_alike bigint,
    parked_failure text,
    parked_since bigint,
    paused bigint,
    last_tried bigint,
    last_good bigint,
    last_change bigint,
    last_run uuid,
    last_state text,
    last_failure text,
    -- When a claim has to look at the row: made from the others.
    attention bigint,
    -- The process whose worker has the run that is under way.
    node uuid
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_cost_delay = 0
);

CREATE UNIQUE INDEX mirror_waiting ON mirror (waiting_run) WHERE waiting_run IS NOT NULL;
CREATE UNIQUE INDEX mirror_running ON mirror (running_run) WHERE running_run IS NOT NULL;
CREATE INDEX mirror_attention ON mirror (attention) WHERE attention IS NOT NULL;

-- The runs that were begun, in the order of their numbers.
CREATE TABLE run (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    mirror bigint NOT NULL REFERENCES mirror (id),
    state text NOT NULL,
    cause text NOT NULL,
    requests bigint NOT NULL,
    asked bigint NOT NULL,
    started bigint,
    ended bigint,
    token bigint NOT NULL,
    failure text,
    details text NOT NULL,
    node uuid
);

CREATE INDEX run_mirror ON run (mirror, number);
CREATE INDEX run_started ON run (started);

-- The hooks that arrived.
CREATE TABLE delivery (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    endpoint text NOT NULL,
    sender_id text,
    sender text NOT NULL,
    verdict text NOT NULL,
    about text NOT NULL
);

CREATE INDEX delivery_at ON delivery (at);
-- What was accepted is accepted once, by whichever process.
CREATE UNIQUE INDEX delivery_sender_id ON delivery (endpoint, sender_id)
    WHERE verdict = 'accepted' AND sender_id IS NOT NULL;

-- The mirrors that a delivery asked for, and the run that answers each.
CREATE TABLE delivery_asked (
    delivery bigint NOT NULL REFERENCES delivery (number) ON DELETE CASCADE,
    position bigint NOT NULL,
    mirror bigint NOT NULL REFERENCES mirror (id),
    run uuid NOT NULL,
    PRIMARY KEY (delivery, position)
);
