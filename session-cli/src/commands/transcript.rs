//! `session transcript`: what was said and done in a session, and what a model is handed of it.

mod text;

use std::fmt::Display;

use serde::Serialize;
use session_core::record::Message;
use session_core::{
    Damage, ErrorKind, Reading, Record, Seq, Session, SessionId, SessionStore, SessionStoreExt as _,
};

use crate::args::TranscriptArgs;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::json::DamageObject;

/// What a model is handed, for programs.
#[derive(Serialize)]
struct ContextObject<'a> {
    session: SessionId,
    checkpoint: Option<Seq>,
    messages: Vec<&'a Message>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damaged: Vec<DamageObject<'a>>,
}

pub(crate) fn run(invocation: &Invocation, args: &TranscriptArgs) -> Result<Code, CliError> {
    let store = invocation.reading()?;
    let session = invocation.session_in(&*store, args.session.as_deref())?;
    if args.context {
        return context(invocation, &*store, &session);
    }
    let reading = reading(session.totals().records, args.from, args.last);
    let damaged = if invocation.out.is_json() {
        as_json(invocation, &*store, session.id(), reading)?
    } else {
        as_text(invocation, &*store, session.id(), reading)?
    };
    tell(invocation, &damaged);
    Ok(Code::Done)
}

/// The records that are asked for, of those that there are now.
fn reading(records: u64, from: Option<Seq>, last: Option<u64>) -> Reading {
    let Some(to) = Seq::new(records) else { return Reading::NOTHING };
    let first = last.map_or(Some(Seq::FIRST), |last| match last {
        0 => None,
        last => Some(Seq::after(records.saturating_sub(last))),
    });
    first.map_or(Reading::NOTHING, |first| Reading {
        from: first.max(from.unwrap_or(Seq::FIRST)),
        to,
        ..Reading::ALL
    })
}

/// One object that is printed as it is read, so that a long history takes no memory.
fn as_json(
    invocation: &Invocation,
    store: &dyn SessionStore,
    id: SessionId,
    reading: Reading,
) -> Result<Vec<Damage>, CliError> {
    let mut out = invocation.out.stream();
    out.put(&format!("{{\"schema_version\":1,\"session\":\"{id}\",\"records\":["))?;
    let mut history = store.history(id, reading);
    let mut separator = "";
    for record in history.by_ref() {
        let Record { seq, entry } = record?;
        let json = Record::json_of(seq, &entry).map_err(|error| unwritable(seq, &error))?;
        out.put(separator)?;
        out.put(json.as_str())?;
        separator = ",";
    }
    let damaged: Vec<_> = history.damaged().iter().map(DamageObject::from).collect();
    let damaged = serde_json::to_string(&damaged)
        .map_err(|error| CliError::new(ErrorKind::Internal, format!("writing JSON: {error}")))?;
    out.put(&format!("],\"damaged\":{damaged}}}\n"))?;
    out.finish()?;
    Ok(history.damaged().to_vec())
}

fn as_text(
    invocation: &Invocation,
    store: &dyn SessionStore,
    id: SessionId,
    reading: Reading,
) -> Result<Vec<Damage>, CliError> {
    let mut out = invocation.out.stream();
    let mut history = store.history(id, reading);
    let mut separator = "";
    for record in history.by_ref() {
        out.put(separator)?;
        out.put(&text::of_record(&invocation.out, &record?))?;
        separator = "\n";
    }
    out.finish()?;
    Ok(history.damaged().to_vec())
}

fn context(
    invocation: &Invocation,
    store: &dyn SessionStore,
    session: &Session,
) -> Result<Code, CliError> {
    let context = store.context(session.id())?;
    let out = &invocation.out;
    if out.is_json() {
        out.object(&ContextObject {
            session: session.id(),
            checkpoint: context.checkpoint,
            messages: context.messages.iter().map(|(_, message)| message).collect(),
            damaged: context.damaged.iter().map(DamageObject::from).collect(),
        })?;
    } else {
        let mut stream = out.stream();
        let mut separator = "";
        for (_, message) in &context.messages {
            stream.put(separator)?;
            stream.put(&text::of_message(out, message))?;
            separator = "\n";
        }
        stream.finish()?;
    }
    tell(invocation, &context.damaged);
    Ok(Code::Done)
}

fn tell(invocation: &Invocation, damaged: &[Damage]) {
    for damage in damaged {
        invocation.out.note(&format!("damaged: {}: {}", damage.place, damage.reason));
    }
}

fn unwritable(seq: Seq, error: &dyn Display) -> CliError {
    CliError::new(ErrorKind::Internal, format!("writing record {seq} as JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_records_and_those_from_a_number_on() {
        let seq = |number| Seq::new(number).unwrap();
        let of = |records, from: Option<u64>, last| {
            let reading = reading(records, from.map(seq), last);
            (1..=records).filter(|number| reading.contains(seq(*number))).collect::<Vec<_>>()
        };
        assert_eq!(of(4, None, None), [1, 2, 3, 4]);
        assert_eq!(of(4, Some(3), None), [3, 4]);
        assert_eq!(of(4, Some(9), None), [0; 0]);
        assert_eq!(of(4, None, Some(2)), [3, 4]);
        assert_eq!(of(4, None, Some(9)), [1, 2, 3, 4]);
        assert_eq!(of(4, None, Some(0)), [0; 0]);
        assert_eq!(of(4, Some(2), Some(3)), [2, 3, 4]);
        assert_eq!(of(4, Some(4), Some(3)), [4]);
        assert_eq!(of(0, None, Some(3)), [0; 0]);
    }
}
