-- The nodes that alone may run a mirror: queue::model::Member. Empty if any may.
ALTER TABLE mirror ADD COLUMN pin TEXT NOT NULL DEFAULT '';
