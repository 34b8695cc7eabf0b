-- Where the others ask the process for its caches: queue::NodeReport. Empty if it gives none.
ALTER TABLE node ADD COLUMN url text NOT NULL DEFAULT '';
