//! What costs nothing while nothing happens: screens asleep, sessions without threads, memory given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use session_core::{Exit, TerminalSize};

use super::super::{Limits, NoCustody, SessionHandle, Setting};
use super::{
    DEADLINE, Orphan, adopt, id, on_end, program, setting, shown, start, until_logged, until_shown,
};
use crate::stream::StreamEvent;
use crate::wire::{Feed, ViewerSpec};

#[test]
fn only_so_many_screens_are_awake_and_none_shows_it() {
    let setting = setting(2);
    let script = |number: u32| {
        format!(
            "printf '\\033]2;title {number}\\007\\033[?2004h\\033[31m'; seq {number}00 {number}80; \
             echo ready; read x; echo again $x; read y"
        )
    };
    let handles: Vec<_> = (1..6)
        .map(|number| {
            let (handle, _) = start(number.into(), &script(number), &setting);
            until_logged(&handle, "ready");
            until_shown(&handle, "ready\n");
            handle
        })
        .collect();
    let awake = || handles.iter().filter(|handle| handle.shared.emulator.is_awake()).count();
    assert_eq!(awake(), 2);
    assert!(!handles[0].shared.emulator.is_awake());
    for (handle, number) in handles.iter().zip(1..) {
        assert_eq!(handle.live().title, Some(format!("title {number}")), "known in sleep");
    }
    for (handle, number) in handles.iter().zip(1_u32..) {
        let expected: String =
            (number * 100..=number * 100 + 80).map(|line| format!("{line}\n")).collect();
        assert_eq!(shown(handle), format!("{expected}ready\n"));
        assert!(handle.shared.emulator.wants_paste_marks());
        assert!(awake() <= 2);
    }
    // Output wakes one, on a thread of its own.
    assert!(!handles[0].shared.emulator.is_awake());
    handles[0].write(b"yes\n").unwrap();
    until_logged(&handles[0], "again yes");
    until_shown(&handles[0], "ready\nyes\nagain yes\n");
    assert_eq!(awake(), 2);
    for handle in handles {
        handle.stop(Duration::from_millis(200)).unwrap();
    }
}

/// Waits until so many screens are awake.
#[track_caller]
fn until_awake(handles: &[SessionHandle], number: usize) {
    let awake = || handles.iter().filter(|handle| handle.shared.emulator.is_awake()).count();
    let deadline = Instant::now() + DEADLINE;
    while awake() != number {
        assert!(Instant::now() < deadline, "{} instead of {number} are awake", awake());
        std::thread::yield_now();
    }
}

/// Sessions that answer each line, with the limits of `setting`; each of their screens has been awake.
fn answering(numbers: std::ops::Range<u128>, setting: &Setting) -> Vec<SessionHandle> {
    let started = |number| {
        let (handle, _) = start(number, "echo ready; while read x; do echo got $x; done", setting);
        until_logged(&handle, "ready");
        until_shown(&handle, "ready\n");
        handle
    };
    numbers.map(started).collect()
}

fn with_rest(awake_screens: usize, rest: Duration) -> Setting {
    let limits = Limits { awake_screens, ..Limits::default() };
    Setting::with_rest(limits, Arc::new(NoCustody), rest)
}

#[test]
fn screens_that_would_wake_up_soon_again_stay_awake_however_many() {
    let setting = with_rest(1, Duration::from_secs(3600));
    let handles = answering(1..5, &setting);
    // So far nothing says that any of them is needed soon.
    until_awake(&handles, 1);
    assert!(setting.idle().has_no_timer());
    for handle in &handles {
        handle.write(b"x\n").unwrap();
        until_logged(handle, "got x");
        until_shown(handle, "got x\n");
    }
    // The one that had not slept, and was the last to be used, may sleep for the others.
    let awake = handles.iter().filter(|handle| handle.shared.emulator.is_awake()).count();
    assert!(awake >= 3, "{awake}");
    assert!(!setting.idle().has_no_timer());
    // One that was only taken back has not been busy.
    let mut orphan = Orphan::new("printf '\\033]2;orphan\\007'; read x");
    orphan.read_until("orphan\u{7}");
    let (teller, adopted) = orphan.adopted();
    let (handle, _beginning, _told) = adopt(adopted, &setting);
    let deadline = Instant::now() + DEADLINE;
    while handle.live().title.as_deref() != Some("orphan") {
        assert!(Instant::now() < deadline, "what is taken back is taken in at once");
        std::thread::yield_now();
    }
    assert_eq!(handle.shared.emulator.active(), 0);
    drop(teller);
    for handle in handles {
        handle.stop(Duration::from_millis(200)).unwrap();
    }
}

#[test]
fn a_screen_that_sleeps_takes_in_new_sizes_later() {
    let setting = setting(1);
    let (first, _told) = start(1, "echo one; read x", &setting);
    until_logged(&first, "one");
    until_shown(&first, "one\n");
    let (second, _told) = start(2, "echo two; read x", &setting);
    until_logged(&second, "two");
    until_shown(&second, "two\n");
    assert!(!first.shared.emulator.is_awake());
    let spec = ViewerSpec { read_only: true, feed: Feed::Events, ..ViewerSpec::default() };
    let mut stream = first.watch(spec).unwrap();
    for cols in [50, 60, 70] {
        let size = TerminalSize::nearest(cols, 20);
        first.resize(size).unwrap();
        let deadline = Instant::now() + DEADLINE;
        while stream.next_before(deadline.into()).unwrap().unwrap() != StreamEvent::Resized(size) {}
    }
    assert!(!first.shared.emulator.is_awake(), "a size alone wakes nobody");
    assert_eq!(first.screen(0).0, TerminalSize::nearest(70, 20));
    assert_eq!(shown(&first), "one\n");
    for handle in [first, second] {
        handle.stop(Duration::from_millis(200)).unwrap();
    }
}

#[test]
fn a_session_without_output_has_no_screen_and_a_flood_leaves_little_more_than_is_kept() {
    let (handle, _told) = start(1, "read x; seq 1 1200000; echo end; read y", &setting(8));
    assert!(!handle.shared.emulator.is_awake());
    handle.write(b"\n").unwrap();
    until_logged(&handle, "end\r\n");
    until_shown(&handle, "1200000\nend\n");
    // What is typed is echoed, which is no flood any more.
    handle.write(b"x").unwrap();
    until_logged(&handle, "end\r\nx");
    until_shown(&handle, "1200000\nend\nx\n");
    let stat = rustix::fs::fstat(&*handle.shared.journal).unwrap();
    let memory = u64::try_from(stat.st_blocks).unwrap() * 512;
    let bound = (4 << 20) + (2 << 20);
    assert!(memory < bound, "{memory} bytes");
    let log = handle.log();
    assert!(log.len() <= 4 << 20 && log.len() > (4 << 20) - 100);
    handle.stop(Duration::from_millis(200)).unwrap();
}

#[test]
fn too_many_busy_screens_go_to_sleep_once_they_rest() {
    let setting = with_rest(2, Duration::from_millis(500));
    let handles = answering(1..6, &setting);
    let awake = || handles.iter().filter(|handle| handle.shared.emulator.is_awake()).count();
    let deadline = Instant::now() + DEADLINE;
    let mut rounds = 0;
    while awake() <= 2 {
        assert!(Instant::now() < deadline, "they are never busy at once");
        rounds += 1;
        for handle in &handles {
            handle.write(b"x\n").unwrap();
            until_shown(handle, &"x\ngot x\n".repeat(rounds));
        }
    }
    until_awake(&handles, 2);
    assert!(setting.idle().has_no_timer());
    for handle in handles {
        assert_eq!(shown(&handle), format!("ready\n{}", "x\ngot x\n".repeat(rounds)));
        handle.stop(Duration::from_millis(200)).unwrap();
    }
}

/// Waits until so many sessions are idle.
#[track_caller]
fn until_parked(setting: &Setting, number: usize) {
    let deadline = Instant::now() + DEADLINE;
    while setting.idle().parked() != number {
        assert!(Instant::now() < deadline, "{} are idle", setting.idle().parked());
        std::thread::yield_now();
    }
}

/// The threads of these sessions.
fn threads(numbers: std::ops::Range<u128>) -> Vec<String> {
    let ids: Vec<String> = numbers.map(|number| id(number).short()).collect();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // One that ends meanwhile has no name any more.
    let names = tasks
        .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok())
        .map(|name| name.trim().to_owned());
    names.filter(|name| ids.iter().any(|id| name.ends_with(id.as_str()))).collect()
}

#[test]
fn an_idle_session_has_no_thread_and_goes_on_with_its_first_byte() {
    // Numbers that no other test uses.
    let numbers = 7001..7005_u128;
    let setting = setting(8);
    let handles = answering(numbers.clone(), &setting);
    let none_left = || {
        until_parked(&setting, 4);
        let deadline = Instant::now() + DEADLINE;
        while !threads(numbers.clone()).is_empty() {
            assert!(Instant::now() < deadline, "{:?}", threads(numbers.clone()));
            std::thread::yield_now();
        }
        assert!(setting.idle().has_no_timer());
    };
    none_left();
    for round in 1..4 {
        for handle in &handles {
            handle.write(b"x\n").unwrap();
            until_shown(handle, &"x\ngot x\n".repeat(round));
        }
        none_left();
    }
    // A viewer is served, and the session has its thread for as long as it is there.
    let mut stream = handles[0].watch(ViewerSpec::default()).unwrap();
    let deadline = Instant::now() + DEADLINE;
    assert!(stream.next_before(deadline.into()).unwrap().is_some());
    until_parked(&setting, 3);
    assert_eq!(threads(numbers.clone()).len(), 1);
    drop(stream);
    none_left();
    for handle in handles {
        assert!(matches!(handle.stop(DEADLINE), Ok(Exit::Signal(1))));
    }
    until_parked(&setting, 0);
}

#[test]
fn without_memory_for_output_a_program_waits_and_nothing_is_lost() {
    let (on_end, _told) = on_end();
    let script = "stty -echo; seq 1 20000; read x; exit 3";
    let (handle, mut beginning) =
        SessionHandle::start(id(1), program(script), &setting(8), on_end).unwrap();
    let found_out = Arc::new(AtomicUsize::new(1));
    beginning.writer().exhausted = Some(Arc::clone(&found_out));
    beginning.begin(None);
    let deadline = Instant::now() + DEADLINE;
    while found_out.load(Ordering::Acquire) < 3 {
        assert!(Instant::now() < deadline, "it is not tried again");
        std::thread::yield_now();
    }
    // It is still there for everybody.
    assert_eq!((handle.log(), shown(&handle)), (Vec::new(), String::new()));
    handle.resize(TerminalSize::nearest(50, 20)).unwrap();
    handle.write(b"typed\n").unwrap();
    found_out.store(0, Ordering::Release);
    assert_eq!(handle.wait(Some(DEADLINE)), Some(Exit::Code(3)));
    let log = String::from_utf8(handle.log()).unwrap();
    let numbers: Vec<u32> = log.lines().filter_map(|line| line.parse().ok()).collect();
    assert!(numbers == (1..=20_000).collect::<Vec<_>>(), "{} numbers", numbers.len());
}

#[test]
fn without_memory_for_output_a_program_can_be_ended() {
    let (on_end, told) = on_end();
    let (handle, mut beginning) =
        SessionHandle::start(id(1), program("yes"), &setting(8), on_end).unwrap();
    beginning.writer().exhausted = Some(Arc::new(AtomicUsize::new(1)));
    beginning.begin(None);
    assert_eq!(handle.stop(DEADLINE).unwrap(), Exit::Signal(1));
    let remains = told.recv_timeout(DEADLINE).unwrap();
    assert_eq!((remains.exit, remains.kept.written), (Exit::Signal(1), 0));
}
