//! The operations of the model: small universes, so that they collide all the time.

use proptest::prelude::*;
use session_core::{Scope, Sort, Status};

use super::said::{self, Asked, Said, Stretch};

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
    RemoveAll(Cleanup),
    Restore(u32),
    Purge(u32),
    Sweep(Option<usize>),
    Append(u32, Vec<Said>),
    Read(u32, Stretch),
    Context(u32),
    Search(Asked),
    List(Listing),
    Named(usize),
    Find(Wanted),
    FindTrashed(Wanted),
    /// Closes the handle and opens another one.
    Reopen,
    /// Closes all handles first.
    ReopenAll,
    /// Drops all handles first, and closes none.
    DropAll,
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
    pub(super) lease: Option<Leased>,
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

/// A lease, with a role or a binding alone, standing or given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Leased {
    pub(super) role: bool,
    pub(super) back: bool,
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
    Lease(Option<Leased>),
    Label(Option<bool>),
    /// It gets a title when something is said.
    Untitle,
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
    pub(super) leased: bool,
    pub(super) scope: Scope,
    pub(super) sort: Sort,
    pub(super) limit: u32,
}

/// Which sessions go to the trash together.
#[derive(Clone, Debug)]
pub(super) struct Cleanup {
    pub(super) host: Option<usize>,
    pub(super) statuses: Vec<Status>,
    pub(super) inactive_since: Option<i64>,
    pub(super) only_empty: bool,
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

/// Any operation, most of them on sessions that are there: `present` outside the trash, `trashed` in it.
pub(super) fn any(present: &[u32], trashed: &[u32]) -> BoxedStrategy<Operation> {
    let id = || one_of(present);
    // Where little is there, little can happen.
    let creations = if present.len() < 3 { 24 } else { 3 };
    let writes = prop_oneof![
        creations => (0..IDS, draft()).prop_map(|(id, draft)| Call::Create(id, draft)),
        8 => (id(), edit(), expected()).prop_map(|(id, edit, expected)| Call::Update(id, edit, expected)),
        10 => (id(), said::batch()).prop_map(|(id, batch)| Call::Append(id, batch)),
        2 => (id(), host()).prop_map(|(id, host)| Call::Remove(id, host)),
        1 => cleanup().prop_map(Call::RemoveAll),
        3 => one_of(trashed).prop_map(Call::Restore),
        1 => one_of(trashed).prop_map(Call::Purge),
        2 => host().prop_map(Call::Sweep),
    ];
    let reads = prop_oneof![
        5 => listing().prop_map(Call::List),
        1 => (0..NAMES.len()).prop_map(Call::Named),
        2 => wanted().prop_map(Call::Find),
        1 => wanted().prop_map(Call::FindTrashed),
        3 => (id(), said::stretch()).prop_map(|(id, stretch)| Call::Read(id, stretch)),
        2 => id().prop_map(Call::Context),
        6 => said::asked(IDS).prop_map(Call::Search),
        1 => Just(Call::Reopen),
        1 => Just(Call::ReopenAll),
        1 => Just(Call::DropAll),
    ];
    let call = prop_oneof![writes, reads];
    (0..2_usize, time(), call).prop_map(|(handle, at, call)| Operation { handle, at, call }).boxed()
}

/// Mostly one of these ids, now and then any other.
fn one_of(ids: &[u32]) -> BoxedStrategy<u32> {
    if ids.is_empty() {
        return (0..IDS).boxed();
    }
    prop_oneof![5 => proptest::sample::select(ids.to_vec()), 1 => 0..IDS].boxed()
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
        1 => Just(Status::Completed),
        1 => proptest::sample::select(Status::ALL.to_vec()),
    ]
}

fn deadline() -> impl Strategy<Value = Deadline> {
    prop_oneof![
        3 => Just(Deadline::Never),
        1 => time().prop_map(Deadline::At),
        1 => (0..6_u64).prop_map(Deadline::Idle),
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
        lease(),
        proptest::arbitrary::any::<Option<bool>>(),
        proptest::option::of(1..IDS),
    )
        .prop_map(|(name, status, deadline, active, program, launch, lease, label, parent)| {
            Draft { name, status, deadline, active, program, launch, lease, label, parent }
        })
}

fn lease() -> impl Strategy<Value = Option<Leased>> {
    let lease = (proptest::bool::weighted(0.7), proptest::bool::weighted(0.3))
        .prop_map(|(role, back)| Leased { role, back });
    proptest::option::weighted(0.5, lease)
}

fn cleanup() -> impl Strategy<Value = Cleanup> {
    (
        host(),
        prop_oneof![
            1 => Just(Vec::new()),
            3 => proptest::sample::subsequence(Status::ALL.to_vec(), 1..=3),
        ],
        proptest::option::of(time()),
        proptest::bool::weighted(0.5),
    )
        .prop_map(|(host, statuses, inactive_since, only_empty)| Cleanup {
            host,
            statuses,
            inactive_since,
            only_empty,
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
        3 => lease().prop_map(Edit::Lease),
        1 => Just(Edit::Untitle),
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
        (proptest::bool::weighted(0.2), proptest::bool::weighted(0.2)),
        prop_oneof![2 => Just(Scope::Current), 3 => Just(Scope::All), 1 => Just(Scope::Trash)],
        prop_oneof![Just(Sort::Updated), Just(Sort::Created), Just(Sort::Name)],
        1..=3_u32,
    )
        .prop_map(|(host, statuses, label, elsewhere, parent, has, scope, sort, limit)| {
            Listing {
                host,
                statuses,
                label,
                elsewhere,
                parent,
                tooled: has.0,
                leased: has.1,
                scope,
                sort,
                limit,
            }
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
