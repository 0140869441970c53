//! Looking at every row: what is there, what cannot be read, and what contradicts something else.

mod history;
mod index;
mod sessions;

use rusqlite::Connection;
use session_core::{CheckReport, Damage, Status, StoreStats};

use crate::error::SqlError;
use crate::key::{Key, SessionSeq};
use crate::tombstone;

pub(crate) use sessions::Seen;

/// What was found at one place.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) damage: Damage,
    pub(crate) fault: Fault,
}

/// Something that is not as it should be, by what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A row of `sessions` whose record cannot be read, or is that of another session.
    Session(i64),
    /// A row of `sessions` whose columns disagree with its record.
    Columns(SessionSeq),
    /// A session whose labels are not those of its record.
    Labels(SessionSeq),
    /// Labels of no session.
    StrayLabels(i64),
    /// A record that cannot be read.
    Record(Key),
    /// Numbers of a session that no record has, both included.
    Gap(SessionSeq, u64, u64),
    /// A record that its session does not count, sound otherwise.
    Uncounted(Key),
    /// Records of no session, and rows whose number no record has: those of these keys.
    Stray(Key),
    /// A tombstone that cannot be read, or is that of a stored session: the bytes of its id.
    Tombstone(Vec<u8>),
    /// The text index is not that of the records.
    Index,
}

/// Everything that was found, and how much is sound.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    pub(crate) sessions: u64,
    pub(crate) records: u64,
    pub(crate) findings: Vec<Finding>,
}

impl Audit {
    /// Looks at every row, in one snapshot. What was found before an error stays.
    ///
    /// # Errors
    /// Whatever SQLite reports, a page that cannot be read included.
    pub(crate) fn look(&mut self, snapshot: &Connection) -> Result<(), SqlError> {
        let sessions = sessions::look(snapshot, self)?;
        history::look(snapshot, &sessions, self)?;
        index::look(snapshot, self)?;
        tombstones(snapshot, self)
    }

    fn add(&mut self, fault: Fault, damage: Damage) {
        self.findings.push(Finding { damage, fault });
    }

    pub(crate) fn report(self) -> CheckReport {
        CheckReport {
            sessions: self.sessions,
            records: self.records,
            damaged: self.findings.into_iter().map(|finding| finding.damage).collect(),
        }
    }
}

fn tombstones(snapshot: &Connection, audit: &mut Audit) -> Result<(), SqlError> {
    tombstone::each(snapshot, |row, tombstone| {
        let id = row.get_ref(0)?.as_bytes().unwrap_or_default();
        match tombstone {
            Err(damage) => audit.add(Fault::Tombstone(id.to_owned()), damage),
            Ok(tombstone) if crate::find::exists(snapshot, tombstone.id)? => {
                let reason = "its session is stored".to_owned();
                let damage = Damage { place: format!("tombstones row {}", tombstone.id), reason };
                audit.add(Fault::Tombstone(id.to_owned()), damage);
            }
            Ok(_) => {}
        }
        Ok(())
    })
}

/// Counts what is there.
pub(crate) fn stats(snapshot: &Connection) -> Result<StoreStats, SqlError> {
    let mut stats = StoreStats::default();
    let sql =
        "SELECT trashed_at IS NOT NULL, status, count(*), sum(records) FROM sessions GROUP BY 1, 2";
    let mut statement = snapshot.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let count =
            |index| Ok::<_, SqlError>(u64::try_from(row.get::<_, i64>(index)?).unwrap_or(0));
        stats.records += count(3)?;
        let status: String = row.get(1)?;
        if row.get(0)? {
            stats.trashed += count(2)?;
        } else if let Ok(status) = status.parse::<Status>() {
            *stats.sessions.entry(status).or_default() += count(2)?;
        }
    }
    let sql = "SELECT count(*) FROM tombstones";
    let tombstones: i64 = snapshot.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    stats.tombstones = u64::try_from(tombstones).unwrap_or(0);
    Ok(stats)
}
