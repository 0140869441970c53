//! What the records of a history amount to, counted anew.

use session_core::record::{Body, Tokens};
use session_core::{MicroUsd, Record, Seq, Session};

/// What the records amount to so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) records: u64,
    /// The number of the last one.
    pub(super) last: u64,
    messages: u64,
    last_checkpoint: Option<Seq>,
    tokens: Tokens,
    cost_micros: Option<MicroUsd>,
}

impl Tally {
    pub(super) fn add(&mut self, record: &Record) {
        self.records += 1;
        self.last = record.seq.get();
        match &record.entry.body {
            Body::Message(_) => self.messages += 1,
            Body::Checkpoint(_) => self.last_checkpoint = Some(record.seq),
            Body::Usage(usage) => {
                self.tokens.add(&usage.tokens);
                if let Some(cost) = usage.cost_micros {
                    let sum = self.cost_micros.unwrap_or_default().0.saturating_add(cost.0);
                    self.cost_micros = Some(MicroUsd(sum));
                }
            }
            _ => {}
        }
    }

    /// What the session says otherwise, in words. What it says beside the number of records it may have from another
    /// store, which counted otherwise.
    pub(super) fn disagreement(&self, session: &Session) -> Option<String> {
        let (records, last) = (session.totals().records, self.last);
        (records < last).then(|| {
            format!("its totals count {records} records, the last one has the number {last}")
        })
    }

    /// Puts the totals of a session right.
    pub(super) fn put_into(&self, session: &mut Session) {
        let records = session.totals().records.max(self.last);
        if records == 0 && session.conversation.is_none() {
            return;
        }
        let totals = &mut session.conversation.get_or_insert_default().totals;
        totals.records = records;
        totals.messages = self.messages;
        totals.last_checkpoint = self.last_checkpoint;
        totals.cost_micros = self.cost_micros;
        let unknown = std::mem::take(&mut totals.tokens.unknown);
        totals.tokens = Tokens { unknown, ..self.tokens.clone() };
    }
}
