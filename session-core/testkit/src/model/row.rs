//! One session as the model keeps it, and as the store is to have it.

use std::time::Duration;

use session_core::record::Tokens;
use session_core::{
    Conversation, Exit, Expiry, Host, Launch, Lease, MicroUsd, Process, ProcessState, Revision,
    Seq, Session, Status, Totals, Unknown,
};

use super::operation::{Deadline, Draft, Edit, HOSTS, IDS, Launched, Leased, NAMES, State};
use super::said::{Said, What};
use crate::samples::{at, id, label, name, role};

/// Everything about a session that operations of the model can change, in the plainest form. Times are seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: u32,
    pub(super) name: Option<usize>,
    pub(super) status: Status,
    pub(super) created: i64,
    pub(super) updated: i64,
    pub(super) active: i64,
    pub(super) deadline: Deadline,
    pub(super) ended: Option<i64>,
    pub(super) trashed: Option<i64>,
    pub(super) program: Option<(State, Option<usize>)>,
    pub(super) launch: Option<Launched>,
    pub(super) lease: Option<Leased>,
    pub(super) title: Option<String>,
    pub(super) label: Option<bool>,
    pub(super) parent: Option<u32>,
    pub(super) revision: u64,
    /// What was appended; the first has number 1.
    pub(super) history: Vec<Said>,
}

impl Row {
    pub(super) fn new(id: u32, now: i64, draft: &Draft) -> Self {
        Self {
            id,
            name: draft.name,
            status: draft.status,
            created: now,
            updated: now,
            active: draft.active,
            deadline: draft.deadline,
            ended: None,
            trashed: None,
            program: draft.program,
            launch: draft.launch,
            lease: draft.lease,
            title: None,
            label: draft.label,
            parent: draft.parent.map(|further| (id + further) % IDS),
            revision: 1,
            history: Vec::new(),
        }
    }

    /// A row for a session that is not stored.
    pub(super) fn unknown(id: u32) -> Self {
        let nothing = Draft {
            name: None,
            status: Status::Pending,
            deadline: Deadline::Never,
            active: 0,
            program: None,
            launch: None,
            lease: None,
            label: None,
            parent: None,
        };
        Self::new(id, 0, &nothing)
    }

    pub(super) fn edit(&mut self, edit: &Edit, now: i64) {
        match *edit {
            Edit::Rename(name) => self.name = name,
            Edit::Status(status) => self.status = status,
            Edit::Start(host) => {
                self.program = Some((State::Running, host));
                self.status = Status::Running;
            }
            Edit::End(code) => {
                if let Some((state, _)) = &mut self.program {
                    *state = State::Exited(code);
                }
                self.status = if code == 0 { Status::Completed } else { Status::Failed };
                self.ended = Some(now);
            }
            Edit::Touch => self.active = now,
            Edit::Deadline(deadline) => self.deadline = deadline,
            Edit::Lease(lease) => self.lease = lease,
            Edit::Label(label) => self.label = label,
            Edit::Untitle => self.title = None,
            Edit::CreatedAt => self.created += 1,
            Edit::TrashedAt => self.trashed = Some(now),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.status == Status::Pending || self.status == Status::Running
    }

    pub(super) fn is_final(&self) -> bool {
        self.status == Status::Closed || self.status == Status::Expired
    }

    /// Whether nobody else may have its name.
    pub(super) fn claims_name(&self) -> bool {
        let works = self.lease.is_some_and(|lease| lease.role && !lease.back) && !self.is_final();
        self.name.is_some() && self.trashed.is_none() && (self.is_open() || works)
    }

    /// Whether it works under a name that no role may have.
    pub(super) fn is_misnamed(&self) -> bool {
        self.lease.is_some_and(|lease| lease.role) && self.name == Some(1)
    }

    pub(super) fn messages(&self) -> u64 {
        self.history.iter().filter(|said| said.speaker().is_some()).count() as u64
    }

    pub(super) fn is_empty(&self) -> bool {
        self.launch.is_none()
            && self.program.is_none()
            && self.lease.is_none()
            && self.title.is_none()
            && self.history.is_empty()
    }

    /// The number of the last checkpoint.
    pub(super) fn checkpoint(&self) -> Option<usize> {
        let is_one = |said: &Said| matches!(said.what, What::Checkpoint(_));
        self.history.iter().rposition(is_one).map(|index| index + 1)
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.program, Some((State::Starting | State::Running, _)))
    }

    pub(super) fn is_overdue(&self, now: i64) -> bool {
        let passed = match self.deadline {
            Deadline::Never => false,
            Deadline::At(at) => at < now,
            Deadline::Idle(idle) => self.active + idle.cast_signed() < now,
        };
        passed && !self.is_live() && !self.is_final()
    }

    /// Ends an overdue session at its deadline.
    pub(super) fn expire(&mut self) {
        self.status = Status::Expired;
        self.ended = match self.deadline {
            Deadline::Never => None,
            Deadline::At(at) => Some(at),
            Deadline::Idle(idle) => Some(self.active + idle.cast_signed()),
        };
    }

    /// The row as somebody sees it at `now`, when programs of `host` are alive.
    pub(super) fn observed(&self, now: i64, host: Option<usize>) -> Self {
        let mut seen = self.clone();
        if let Some((state, Some(owner))) = &mut seen.program
            && self.is_live()
            && Some(*owner) != host
        {
            *state = State::Lost;
            if self.is_open() {
                seen.status = Status::Failed;
            }
        }
        if seen.is_overdue(now) {
            seen.expire();
        }
        seen
    }

    pub(super) fn session(&self) -> Session {
        let mut session = Session::new(id(self.id), at(self.created));
        session.identity.name = self.name.map(|index| name(NAMES[index]));
        session.identity.labels =
            self.label.map(|value| (label("label"), value.to_string())).into_iter().collect();
        session.identity.parent = self.parent.map(id);
        session.identity.title = self.title.clone();
        session.lifecycle.status = self.status;
        session.lifecycle.updated_at = at(self.updated);
        session.lifecycle.last_active_at = at(self.active);
        session.lifecycle.expiry = match self.deadline {
            Deadline::Never => Expiry::Never,
            Deadline::At(seconds) => Expiry::At(at(seconds)),
            Deadline::Idle(seconds) => Expiry::Idle(Duration::from_secs(seconds)),
        };
        session.lifecycle.ended_at = self.ended.map(at);
        session.lifecycle.trashed_at = self.trashed.map(at);
        session.lifecycle.revision = Revision(self.revision);
        session.launch = self.launch.map(|launched| Launch {
            tool: launched.tooled.then(|| "claude".to_owned()),
            argv: vec!["true".to_owned()],
            workdir: workdir(launched.elsewhere).to_owned(),
            internal: launched.internal,
            ..Launch::default()
        });
        session.lease = self.lease.map(|lease| Lease {
            role: lease.role.then(|| role("reviewer")),
            ended_at: lease.back.then(|| at(1)),
            ..Lease::default()
        });
        session.conversation = (!self.history.is_empty())
            .then(|| Conversation { totals: self.totals(), ..Conversation::default() });
        session.process = self.program.map(|(state, host)| {
            let host = host.map(|index| Host {
                instance: HOSTS[index].to_owned(),
                boot: "boot".to_owned(),
                unknown: Unknown::default(),
            });
            Process { state: process_state(state), ..Process::starting(at(0), host) }
        });
        session
    }
}

impl Row {
    fn totals(&self) -> Totals {
        let mut totals = Totals {
            records: self.history.len() as u64,
            messages: self.messages(),
            last_checkpoint: self.checkpoint().and_then(|number| Seq::new(number as u64)),
            ..Totals::default()
        };
        for said in &self.history {
            if let What::Spent { input, cost } = said.what {
                let sum = |sum: Option<u64>, more: Option<u64>| match (sum, more) {
                    (Some(sum), Some(more)) => Some(sum + more),
                    (sum, more) => sum.or(more),
                };
                totals.tokens = Tokens { input: sum(totals.tokens.input, input), ..totals.tokens };
                totals.cost_micros = sum(totals.cost_micros.map(|cost| cost.0), cost).map(MicroUsd);
            }
        }
        totals
    }
}

pub(super) const fn workdir(elsewhere: bool) -> &'static str {
    if elsewhere { "/elsewhere" } else { "/here" }
}

const fn process_state(state: State) -> ProcessState {
    match state {
        State::Starting => ProcessState::Starting,
        State::Running => ProcessState::Running,
        State::Exited(code) => ProcessState::Exited(Exit::Code(code)),
        State::Lost => ProcessState::Lost,
    }
}
