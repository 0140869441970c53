//! A supervisor without a keeper and without clients, for tests.

use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, RwLock};

use session_core::{MemoryStore, Timestamp};
use tokio::sync::Notify;

use super::agent::Agents;
use super::{Launcher, Supervisor};
use crate::instance::InstanceLock;
use crate::place::Place;
use crate::runtime::{Runtime, RuntimeOptions};

pub(super) fn supervisor(directory: &Path) -> Arc<Supervisor> {
    let clock = || Timestamp::from_millis(1);
    let place = Place::new(directory.join("data"), directory.join("run"), "sqlite");
    let lock = InstanceLock::acquire(&directory.join("lock"), clock()).unwrap().unwrap();
    let store = Arc::new(MemoryStore::new());
    Arc::new(Supervisor {
        agents: Agents::of(&place),
        place,
        runtime: Runtime::new(store, clock, RuntimeOptions::default()).unwrap(),
        instance: lock.instance.clone(),
        connections: AtomicUsize::new(0),
        leaving: RwLock::new(false),
        changed: Arc::default(),
        leave: Notify::new(),
        make_room: Notify::new(),
        custody: None,
        keeper: None,
        keeper_launcher: Launcher { program: None, args: Vec::new() },
        stays: false,
        listener: Mutex::default(),
    })
}
