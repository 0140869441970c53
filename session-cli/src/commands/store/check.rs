//! `session store check`: reads everything, names what is damaged, and puts it in order when asked to.

use std::path::Path;

use serde::Serialize;
use session_core::{CheckReport, ErrorKind, Repair};

use crate::backend;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::json::DamageObject;
use crate::output::text::{number, shown};
use crate::progress::during;
use crate::system;

#[derive(Serialize)]
struct Report<'a> {
    sessions: u64,
    records: u64,
    damaged: Vec<DamageObject<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repaired: Option<Vec<Repaired<'a>>>,
}

#[derive(Serialize)]
struct Repaired<'a> {
    #[serde(flatten)]
    damage: DamageObject<'a>,
    /// Where its bytes are; null when there was nothing to keep.
    kept: Option<&'a Path>,
}

pub(super) fn run(invocation: &Invocation) -> Result<Code, CliError> {
    check(invocation)
        .map_err(|error| otherwise(invocation, error, "`--repair` rescues what it can"))
}

/// Puts things in order, and reads everything again.
pub(super) fn repair(invocation: &Invocation) -> Result<Code, CliError> {
    mend(invocation).map_err(|error| otherwise(invocation, error, "no repair can read it"))
}

/// Advice for a store that cannot even be checked, for which advice to check it is none.
fn otherwise(invocation: &Invocation, error: CliError, first: &str) -> CliError {
    let is_circular = |hint: &str| hint.starts_with("`session store check` tells");
    if !error.is(ErrorKind::Corrupt) || !error.advice().is_some_and(is_circular) {
        return error;
    }
    let restore = invocation.plan.again(["store", "restore", "FILE"]);
    let backups = invocation.plan.data_dir.join("backups");
    error.hint(format!(
        "{first}; `{restore}` puts a backup in its place and keeps what is there: see {}",
        backups.display()
    ))
}

fn check(invocation: &Invocation) -> Result<Code, CliError> {
    let report = match backend::look(&invocation.plan)? {
        Some(store) => during(invocation, "reading everything", || store.check())?,
        // What is not there is not damaged.
        None => CheckReport::default(),
    };
    print(invocation, &report, None)
}

fn mend(invocation: &Invocation) -> Result<Code, CliError> {
    if backend::look(&invocation.plan).is_ok_and(|found| found.is_none()) {
        return print(invocation, &CheckReport::default(), Some(&[]));
    }
    // Nothing is recorded before: what is damaged may be in the way of that.
    let _presence = invocation.presence()?;
    let store = backend::open(&invocation.plan)?;
    let repairs = during(invocation, "putting things in order", || store.repair(system::now()))?;
    let report = during(invocation, "reading everything", || store.check())?;
    store.close()?;
    print(invocation, &report, Some(&repairs))
}

fn print(
    invocation: &Invocation,
    report: &CheckReport,
    repairs: Option<&[Repair]>,
) -> Result<Code, CliError> {
    let out = &invocation.out;
    if out.is_json() {
        out.object(&Report {
            sessions: report.sessions,
            records: report.records,
            damaged: report.damaged.iter().map(DamageObject::from).collect(),
            repaired: repairs.map(|repairs| repairs.iter().map(Repaired::from).collect()),
        })?;
    } else {
        for repair in repairs.unwrap_or_default() {
            let damage = &repair.damage;
            let kept = match &repair.kept {
                Some(path) => format!("its bytes are kept in {}", path.display()),
                None => "there was nothing to keep".to_owned(),
            };
            let line = format!("repaired: {}: {}; {kept}", damage.place, damage.reason);
            out.text(&shown(&line))?;
        }
        for damage in &report.damaged {
            out.text(&shown(&format!("damaged: {}: {}", damage.place, damage.reason)))?;
        }
        let CheckReport { sessions, records, .. } = report;
        let (sessions, records) = (number(*sessions, "session"), number(*records, "record"));
        out.note(&format!("{sessions} and {records} can be read"));
    }
    match (report.damaged.len(), repairs) {
        (0, _) => Ok(Code::Done),
        (many, None) => Err(damaged(many).hint(
            "everything else stays readable; `session store check --repair` puts what is damaged into quarantine",
        )),
        (many, Some(_)) => {
            Err(damaged(many).hint("restore a backup, or export what can be read to a new store"))
        }
    }
}

fn damaged(many: usize) -> CliError {
    let places = number(many as u64, "place");
    CliError::new(ErrorKind::Corrupt, format!("the store is damaged in {places}"))
}

impl<'a> From<&'a Repair> for Repaired<'a> {
    fn from(repair: &'a Repair) -> Self {
        Self { damage: (&repair.damage).into(), kept: repair.kept.as_deref() }
    }
}
