//! The operations of the model: small universes, so that they collide all the time.

use proptest::prelude::*;
use session_core::{Scope, Sort, Status};

/// Ids are numbers below this.
pub(super) const IDS: u32 = 6;

/// The names there are. The last one is also the end of an id.
pub(super) const NAMES: [&str; 3] = ["ash", "Birch_", "00000002"];

/// The instances that may host programs.
pub(super) const HOSTS: [&str; 2] = ["host-a", "host-b"];

/// One call, or a few that belong together, through one of two handles.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) handle: usize,
    /// When, in seconds. Each operation has a time of its own, so the clock jumps in both directions.
    pub(super) at: i64,
    pub(super) call: Call,
}

#[derive(Clone, Debug)]
pub(super) enum Call {
    Create(u32, Draft),
    Update(u32, Edit, Expected),
    Remove(u32, Option<usize>),
    Sweep(Option<usize>),
    List(Listing),
    Named(usize),
    Find(Wanted),
    /// Closes the handle and opens another one.
    Reopen,
    /// Closes all handles first.
    ReopenAll,
}

/// A session to be.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) name: Option<usize>,
    pub(super) status: Status,
    pub(super) deadline: Deadline,
    pub(super) active: i64,
    pub(super) program: Option<(State, Option<usize>)>,
    pub(super) launch: Option<Launched>,
    pub(super) label: Option<bool>,
    /// The parent is the id so many further on, never the session itself.
    pub(super) parent: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    Never,
    At(i64),
    Idle(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Starting,
    Running,
    Exited(i32),
    Lost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Launched {
    pub(super) tooled: bool,
    pub(super) elsewhere: bool,
    pub(super) internal: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Edit {
    Rename(Option<usize>),
    Status(Status),
    /// A program runs, and with it the session.
    Start(Option<usize>),
    /// The program ends, and with it the session.
    End(i32),
    Touch,
    Deadline(Deadline),
    Label(Option<bool>),
    /// Illegal: the time of creation never changes.
    CreatedAt,
    /// Illegal: that is what `remove` is for.
    TrashedAt,
}

/// Which revision a writer names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Stored,
    Older,
    Newer,
}

#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) host: Option<usize>,
    pub(super) statuses: Vec<Status>,
    pub(super) label: Option<bool>,
    pub(super) elsewhere: Option<bool>,
    pub(super) parent: Option<u32>,
    pub(super) tooled: bool,
    pub(super) scope: Scope,
    pub(super) sort: Sort,
    pub(super) limit: u32,
}

/// What a selector names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    Id(u32),
    Name(usize),
    /// The last eight characters of an id.
    End(u32),
    /// The first characters, which all ids share.
    Beginning,
}

pub(super) fn any() -> BoxedStrategy<Operation> {
    let id = || 0..IDS;
    let call = prop_oneof![
        6 => (id(), draft()).prop_map(|(id, draft)| Call::Create(id, draft)),
        10 => (id(), edit(), expected()).prop_map(|(id, edit, expected)| Call::Update(id, edit, expected)),
        3 => (id(), host()).prop_map(|(id, host)| Call::Remove(id, host)),
        2 => host().prop_map(Call::Sweep),
        5 => listing().prop_map(Call::List),
        1 => (0..NAMES.len()).prop_map(Call::Named),
        2 => wanted().prop_map(Call::Find),
        1 => Just(Call::Reopen),
        1 => Just(Call::ReopenAll),
    ];
    (0..2_usize, time(), call).prop_map(|(handle, at, call)| Operation { handle, at, call }).boxed()
}

fn time() -> impl Strategy<Value = i64> {
    0..12_i64
}

fn name() -> impl Strategy<Value = Option<usize>> {
    proptest::option::weighted(0.85, 0..NAMES.len())
}

fn host() -> impl Strategy<Value = Option<usize>> {
    // Mostly the same one, so that programs often live where they are looked for.
    prop_oneof![6 => Just(Some(0)), 2 => Just(Some(1)), 1 => Just(None)]
}

fn status() -> impl Strategy<Value = Status> {
    prop_oneof![
        3 => Just(Status::Pending),
        3 => Just(Status::Running),
        1 => proptest::sample::select(Status::ALL.to_vec()),
    ]
}

fn deadline() -> impl Strategy<Value = Deadline> {
    prop_oneof![
        Just(Deadline::Never),
        time().prop_map(Deadline::At),
        (0..6_u64).prop_map(Deadline::Idle),
    ]
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Starting),
        Just(State::Running),
        (0..2).prop_map(State::Exited),
        Just(State::Lost),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    let launched = proptest::arbitrary::any::<(bool, bool, bool)>()
        .prop_map(|(tooled, elsewhere, internal)| Launched { tooled, elsewhere, internal });
    (
        name(),
        status(),
        deadline(),
        time(),
        proptest::option::of((state(), host())),
        proptest::option::of(launched),
        proptest::arbitrary::any::<Option<bool>>(),
        proptest::option::of(1..IDS),
    )
        .prop_map(|(name, status, deadline, active, program, launch, label, parent)| Draft {
            name,
            status,
            deadline,
            active,
            program,
            launch,
            label,
            parent,
        })
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => name().prop_map(Edit::Rename),
        4 => status().prop_map(Edit::Status),
        2 => host().prop_map(Edit::Start),
        2 => (0..2).prop_map(Edit::End),
        2 => Just(Edit::Touch),
        3 => deadline().prop_map(Edit::Deadline),
        1 => proptest::arbitrary::any::<Option<bool>>().prop_map(Edit::Label),
        1 => Just(Edit::CreatedAt),
        1 => Just(Edit::TrashedAt),
    ]
}

fn expected() -> impl Strategy<Value = Expected> {
    prop_oneof![8 => Just(Expected::Stored), 1 => Just(Expected::Older), 1 => Just(Expected::Newer)]
}

fn listing() -> impl Strategy<Value = Listing> {
    use proptest::option::weighted;
    (
        host(),
        prop_oneof![Just(Vec::new()), proptest::sample::subsequence(Status::ALL.to_vec(), 1..=3),],
        weighted(0.2, proptest::arbitrary::any::<bool>()),
        weighted(0.2, proptest::arbitrary::any::<bool>()),
        weighted(0.2, 0..IDS),
        proptest::bool::weighted(0.2),
        prop_oneof![1 => Just(Scope::Current), 2 => Just(Scope::All)],
        prop_oneof![Just(Sort::Updated), Just(Sort::Created), Just(Sort::Name)],
        1..=3_u32,
    )
        .prop_map(|(host, statuses, label, elsewhere, parent, tooled, scope, sort, limit)| {
            Listing { host, statuses, label, elsewhere, parent, tooled, scope, sort, limit }
        })
}

fn wanted() -> impl Strategy<Value = Wanted> {
    prop_oneof![
        2 => (0..IDS).prop_map(Wanted::Id),
        4 => (0..NAMES.len()).prop_map(Wanted::Name),
        2 => (0..IDS).prop_map(Wanted::End),
        1 => Just(Wanted::Beginning),
    ]
}
