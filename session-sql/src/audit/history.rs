//! Looking at histories: every record, and the numbers that they should have.

use std::collections::BTreeMap;
use std::iter::Peekable;

use rusqlite::Connection;
use session_core::{Damage, SessionId};

use super::{Audit, Fault, Seen};
use crate::error::SqlError;
use crate::history;
use crate::key::{Key, SessionSeq};

/// A session whose records are being met, and the number that comes next.
struct Course {
    seq: SessionSeq,
    id: Option<SessionId>,
    records: u64,
    next: u64,
}

impl Course {
    /// Goes up to the record of this number, and reports what is missing before it.
    fn pass_to(&mut self, number: u64, audit: &mut Audit) {
        let last = number.min(self.records + 1) - 1;
        if self.next <= last {
            let damage = match self.id {
                Some(id) => history::gap(self.seq, id, self.next, last),
                None => Damage {
                    place: format!("records of sessions row {}", self.seq.get()),
                    reason: format!("records {} to {last} are missing", self.next),
                },
            };
            audit.add(Fault::Gap(self.seq, self.next, last), damage);
        }
        self.next = self.next.max(number.saturating_add(1));
    }
}

pub(super) fn look(
    snapshot: &Connection,
    sessions: &BTreeMap<SessionSeq, Seen>,
    audit: &mut Audit,
) -> Result<(), SqlError> {
    let mut left = sessions.iter().peekable();
    let mut course: Option<Course> = None;
    let mut stray: Option<SessionSeq> = None;
    let mut statement = snapshot.prepare("SELECT key, id, record FROM records ORDER BY key")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let key = Key::new(row.get(0)?);
        if course.as_ref().is_none_or(|course| course.seq != key.session()) {
            finish(course.take(), audit);
            course = advance(&mut left, key.session(), audit);
        }
        let Some(course) = &mut course else {
            if stray != Some(key.session()) {
                stray = Some(key.session());
                let reason = "there is no such session".to_owned();
                audit.add(Fault::Stray(key), history::damage(key, None, reason));
            }
            continue;
        };
        let number = key.number();
        if number == 0 {
            let reason = "no record has this number".to_owned();
            audit.add(Fault::Stray(key), history::damage(key, course.id, reason));
            continue;
        }
        course.pass_to(number, audit);
        match history::read_row(row, 0)? {
            Err(damage) => {
                let damage = history::damage(key, course.id, damage.reason);
                audit.add(Fault::Record(key), damage);
            }
            Ok(_) if number > course.records => {
                let reason = "its session does not count it".to_owned();
                audit.add(Fault::Uncounted(key), history::damage(key, course.id, reason));
            }
            Ok(_) => audit.records += 1,
        }
    }
    finish(course, audit);
    for (seq, seen) in left {
        finish(Some(Course { seq: *seq, id: seen.id, records: seen.records, next: 1 }), audit);
    }
    Ok(())
}

/// Goes to the session of this number, if there is one, and finishes those before it, which have no records.
fn advance<'a>(
    left: &mut Peekable<impl Iterator<Item = (&'a SessionSeq, &'a Seen)>>,
    to: SessionSeq,
    audit: &mut Audit,
) -> Option<Course> {
    while let Some((seq, seen)) = left.next_if(|(seq, _)| **seq <= to) {
        let course = Course { seq: *seq, id: seen.id, records: seen.records, next: 1 };
        if *seq == to {
            return Some(course);
        }
        finish(Some(course), audit);
    }
    None
}

fn finish(course: Option<Course>, audit: &mut Audit) {
    if let Some(mut course) = course {
        let end = course.records.saturating_add(1);
        course.pass_to(end, audit);
    }
}
