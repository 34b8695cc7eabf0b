-- Browsers that are logged in: queue::sessions. Who reads this can use none of them, and who writes it can make none.
CREATE TABLE session (
    id bytea PRIMARY KEY,
    holder bytea NOT NULL,
    proof bytea NOT NULL,
    made bigint NOT NULL,
    used bigint NOT NULL
);

CREATE INDEX session_holder ON session (holder, used);
