//! Ending a program, and waiting until that is recorded.

use super::super::end::descend;
use super::*;

#[test]
fn the_deadline_of_a_kill_is_not_that_of_the_record() {
    let (see, seen) = channel();
    let (let_go, held) = channel();
    let record = Box::new(move |_: Remains| {
        see.send(()).unwrap();
        held.recv().unwrap();
    });
    let on_end = OnEnd { record, until_all_left: Box::new(()) };
    let (handle, beginning) =
        SessionHandle::start(id(1), program("exit 3"), &setting(1), on_end).unwrap();
    beginning.begin(None);
    seen.recv_timeout(DEADLINE).unwrap();
    let (begin, begun) = channel();
    let stop = std::thread::spawn(move || {
        begin.send(()).unwrap();
        descend(&handle, Duration::ZERO, Duration::ZERO)
    });
    begun.recv_timeout(DEADLINE).unwrap();
    // A deadline that ran would have passed by then.
    for _ in 0..10_000 {
        std::thread::yield_now();
    }
    let_go.send(()).unwrap();
    assert_eq!(stop.join().unwrap().unwrap(), Exit::Code(3));
}
