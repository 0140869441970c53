-- Format version 2: histories, tombstones, leases, the text index.

-- The record is the last column, so that nobody reads past it to the others. The number of a session is never used
-- again while records have it: see `row::insert`.
CREATE TABLE sessions_of_2 (
    seq           INTEGER PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    id_reversed   TEXT    NOT NULL,
    revision      INTEGER NOT NULL,
    name          TEXT    NOT NULL,
    claims_name   INTEGER NOT NULL,
    status        TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    trashed_at    INTEGER,
    deadline      INTEGER,
    parent        TEXT,
    tool          TEXT,
    workdir       TEXT,
    role          TEXT,
    chat          TEXT,
    agent         TEXT,
    project       TEXT,
    process_state TEXT,
    process_host  TEXT,
    internal      INTEGER NOT NULL,
    is_empty      INTEGER NOT NULL,
    records       INTEGER NOT NULL,
    indexed       INTEGER NOT NULL DEFAULT 0,
    record        TEXT    NOT NULL
) STRICT;

-- A record that is no JSON was damaged before, and stays so.
INSERT INTO sessions_of_2 (
    seq, id, id_reversed, revision, name, claims_name, status, created_at, updated_at, trashed_at, deadline, parent,
    tool, workdir, role, chat, agent, project, process_state, process_host, internal, is_empty, records, record)
SELECT
    seq, id, id_reversed, revision, name,
    name <> '' AND trashed_at IS NULL AND (
        status IN ('pending', 'running')
        OR status NOT IN ('closed', 'expired') AND json ->> '$.lease.role' IS NOT NULL
            AND json ->> '$.lease.ended_at' IS NULL),
    status, created_at, updated_at, trashed_at, deadline, parent, tool, workdir,
    json ->> '$.lease.role',
    iif(json_type(json, '$.lease.binding') = 'object', coalesce(json ->> '$.lease.binding.chat', ''), NULL),
    iif(json_type(json, '$.lease.binding') = 'object', coalesce(json ->> '$.lease.binding.agent', ''), NULL),
    iif(json_type(json, '$.lease.binding') = 'object', coalesce(json ->> '$.lease.binding.project', ''), NULL),
    process_state, process_host, internal,
    is_empty AND json_type(json, '$.lease') IS NOT 'object'
        AND json ->> '$.title' IS NULL AND coalesce(json ->> '$.conversation.totals.records', 0) = 0,
    iif(json_type(json, '$.conversation.totals.records') = 'integer', json ->> '$.conversation.totals.records', 0),
    record
FROM (SELECT *, iif(json_valid(record), record, NULL) AS json FROM sessions);

DROP TABLE sessions;
ALTER TABLE sessions_of_2 RENAME TO sessions;

-- Looking up: suffixes of ids, holders of a name, children.
CREATE INDEX sessions_by_suffix ON sessions (id_reversed);
CREATE INDEX sessions_claiming ON sessions (name) WHERE claims_name = 1;
CREATE INDEX sessions_by_parent ON sessions (parent, trashed_at) WHERE parent IS NOT NULL;

-- Listing: the default listing first, then every order over everything, then the trash.
CREATE INDEX sessions_current ON sessions (updated_at DESC, id DESC)
    WHERE trashed_at IS NULL AND internal = 0 AND is_empty = 0 AND status NOT IN ('closed', 'expired');
CREATE INDEX sessions_by_updated ON sessions (updated_at DESC, id DESC) WHERE trashed_at IS NULL;
CREATE INDEX sessions_by_created ON sessions (created_at DESC, id DESC) WHERE trashed_at IS NULL;
CREATE INDEX sessions_by_name ON sessions (name, id DESC) WHERE trashed_at IS NULL;
CREATE INDEX sessions_trashed ON sessions (updated_at DESC, id DESC) WHERE trashed_at IS NOT NULL;

-- Filters: what a record has of them changes rarely, and no key has a time that an append would change.
CREATE INDEX sessions_by_status ON sessions (status, trashed_at);
CREATE INDEX sessions_by_workdir ON sessions (workdir, trashed_at) WHERE workdir IS NOT NULL;
CREATE INDEX sessions_by_tool ON sessions (tool, trashed_at) WHERE tool IS NOT NULL;
CREATE INDEX sessions_by_role ON sessions (role, trashed_at) WHERE role IS NOT NULL;
CREATE INDEX sessions_by_chat ON sessions (chat, trashed_at) WHERE chat IS NOT NULL;
CREATE INDEX sessions_by_agent ON sessions (agent, trashed_at) WHERE agent IS NOT NULL;
CREATE INDEX sessions_by_project ON sessions (project, trashed_at) WHERE project IS NOT NULL;

-- Sweeping: deadlines that nobody has recorded, programs that may be lost.
CREATE INDEX sessions_by_deadline ON sessions (deadline)
    WHERE trashed_at IS NULL AND deadline IS NOT NULL AND status NOT IN ('closed', 'expired');
CREATE INDEX sessions_by_host ON sessions (process_host)
    WHERE trashed_at IS NULL AND process_state IN ('starting', 'running') AND process_host IS NOT NULL;

-- Records: `key` is the `seq` of the session, shifted left by 40 bits, plus the number of the record in its history.
-- So a history is one stretch of the table, in both directions.
CREATE TABLE records (
    key    INTEGER PRIMARY KEY,
    id     TEXT NOT NULL,
    record TEXT NOT NULL
) STRICT;

-- Not unique: what another store had twice is kept twice.
CREATE INDEX records_by_id ON records (key >> 40, id);

CREATE TABLE tombstones (
    id        TEXT NOT NULL PRIMARY KEY,
    tombstone TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The text index: the tokens of records, found by a number that grows with their time. It trails behind the records.
CREATE TABLE docs (
    docid INTEGER PRIMARY KEY,
    key   INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX docs_by_key ON docs (key);

CREATE VIRTUAL TABLE words USING fts5 (
    text, content = '', contentless_delete = 1, tokenize = 'ascii', detail = full
);

CREATE INDEX sessions_unindexed ON sessions (seq) WHERE indexed < records;
