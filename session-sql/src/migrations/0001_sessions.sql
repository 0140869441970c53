-- Format version 1: sessions, their labels, and what the store knows of itself.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value ANY  NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('generation', 1);

-- `record` is the truth: the canonical JSON of the session. Every other column is taken from it, to find and to
-- order by. `name` is empty for a session without one, which is also how a listing by name places it.
CREATE TABLE sessions (
    seq           INTEGER PRIMARY KEY,
    id            TEXT    NOT NULL UNIQUE,
    id_reversed   TEXT    NOT NULL,
    revision      INTEGER NOT NULL,
    name          TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    trashed_at    INTEGER,
    deadline      INTEGER,
    parent        TEXT,
    tool          TEXT,
    workdir       TEXT,
    process_state TEXT,
    process_host  TEXT,
    internal      INTEGER NOT NULL,
    is_empty      INTEGER NOT NULL,
    record        TEXT    NOT NULL
) STRICT;

-- Looking up: suffixes of ids, holders of a name, children.
CREATE INDEX sessions_by_suffix ON sessions (id_reversed);
CREATE INDEX sessions_open_by_name ON sessions (name)
    WHERE trashed_at IS NULL AND status IN ('pending', 'running');
CREATE INDEX sessions_by_parent ON sessions (parent)
    WHERE trashed_at IS NULL AND parent IS NOT NULL;

-- Listing: the default listing first, then every order over everything.
CREATE INDEX sessions_current ON sessions (updated_at DESC, id DESC)
    WHERE trashed_at IS NULL AND internal = 0 AND is_empty = 0 AND status NOT IN ('closed', 'expired');
CREATE INDEX sessions_by_updated ON sessions (updated_at DESC, id DESC) WHERE trashed_at IS NULL;
CREATE INDEX sessions_by_created ON sessions (created_at DESC, id DESC) WHERE trashed_at IS NULL;
CREATE INDEX sessions_by_name ON sessions (name, id DESC) WHERE trashed_at IS NULL;

-- Sweeping: deadlines that nobody has recorded, programs that may be lost.
CREATE INDEX sessions_by_deadline ON sessions (deadline)
    WHERE trashed_at IS NULL AND deadline IS NOT NULL AND status NOT IN ('closed', 'expired');
CREATE INDEX sessions_by_host ON sessions (process_host)
    WHERE trashed_at IS NULL AND process_state IN ('starting', 'running') AND process_host IS NOT NULL;

CREATE TABLE labels (
    session INTEGER NOT NULL REFERENCES sessions (seq) ON DELETE CASCADE,
    key     TEXT    NOT NULL,
    value   TEXT    NOT NULL,
    PRIMARY KEY (session, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX labels_by_pair ON labels (key, value);
