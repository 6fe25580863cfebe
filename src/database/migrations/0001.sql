-- Read by SQLite and PostgreSQL alike: SQLite keeps any value in any column, so UUID means 16 octets in both.
-- Times are microseconds since 1970 UTC.

CREATE TABLE documents (
    kind TEXT NOT NULL,
    id UUID NOT NULL,
    key TEXT,
    parent UUID,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    deleted BIGINT,
    revision BIGINT NOT NULL,
    node TEXT NOT NULL,
    body TEXT NOT NULL,
    hidden TEXT,
    PRIMARY KEY (kind, id)
);
-- None of these, but the last, holds a column that changes while a call goes on.
CREATE INDEX documents_created ON documents (kind, created);
CREATE INDEX documents_parent ON documents (kind, parent, created) WHERE parent IS NOT NULL;
CREATE UNIQUE INDEX documents_key ON documents (kind, key) WHERE key IS NOT NULL AND deleted IS NULL;
CREATE INDEX documents_deleted ON documents (deleted) WHERE deleted IS NOT NULL;
CREATE INDEX documents_revision ON documents (revision) WHERE revision > 0;

-- The last revision given. Whoever writes what is shared changes this row first, and so holds it until the commit:
-- revisions are seen in the order of their numbers.
CREATE TABLE revisions (last BIGINT NOT NULL);
INSERT INTO revisions (last) VALUES (0);

CREATE TABLE outbox (
    id UUID PRIMARY KEY,
    node TEXT NOT NULL,
    posted BIGINT NOT NULL,
    url TEXT NOT NULL,
    method TEXT NOT NULL,
    headers TEXT NOT NULL,
    body TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL
);
CREATE INDEX outbox_node ON outbox (node, posted);

CREATE TABLE bindings (
    extension TEXT NOT NULL,
    contact TEXT NOT NULL,
    node TEXT NOT NULL,
    expires BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (extension, contact)
);
CREATE INDEX bindings_node ON bindings (node);
CREATE INDEX bindings_expires ON bindings (expires);

CREATE TABLE nodes (
    node TEXT PRIMARY KEY,
    sip_address TEXT NOT NULL,
    seen BIGINT NOT NULL
);
