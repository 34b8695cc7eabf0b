-- The processes that use this database: queue::fleet::Node. Their times are by the clock of this database.
CREATE TABLE node (
    -- New for each process.
    id uuid PRIMARY KEY,
    -- What people call it: the name of its machine.
    name text NOT NULL,
    role text NOT NULL,
    version text NOT NULL,
    started bigint NOT NULL,
    -- When it was last heard of.
    beat bigint NOT NULL,
    -- It ends what runs, and begins nothing more.
    draining boolean NOT NULL,
    -- What is free on the disk of its caches.
    free_bytes bigint,
    -- When it ended in good order, or one that came after it in its folder found that it is gone.
    ended bigint
);

CREATE INDEX run_node ON run (node) WHERE node IS NOT NULL;
