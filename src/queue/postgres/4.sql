-- What the last run of a mirror has left for the next one, wherever that is: queue::ledgers. It is JSON.
CREATE TABLE ledger (
    mirror bigint PRIMARY KEY REFERENCES mirror (id),
    contents text NOT NULL
);
