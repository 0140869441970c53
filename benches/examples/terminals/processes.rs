//! What Linux says of a process: see proc(5).

use std::fs;
use std::thread::sleep;
use std::time::Duration;

/// Ticks of the kernel's accounting in a second, which Linux has fixed for programs.
const TICKS: f64 = 100.0;

/// Processor time of all threads of a process so far, in seconds.
pub(crate) fn processor_time(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name in parentheses may have spaces; utime and stime are the 14th and 15th field of all.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks = |index: usize| fields[index].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / TICKS
}

/// The same, once the process has nothing more to do.
pub(crate) fn processor_time_at_rest(pid: u32) -> f64 {
    let mut before = processor_time(pid);
    loop {
        sleep(Duration::from_millis(150));
        let now = processor_time(pid);
        if now <= before {
            return now;
        }
        before = now;
    }
}

/// Its share of memory in MB: what it shares with others counts in part.
pub(crate) fn memory(pid: u32) -> f64 {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    value(&rollup, "Pss:") / 1000.0 * 1.024
}

/// How many threads it has.
pub(crate) fn threads(pid: u32) -> f64 {
    value(&fs::read_to_string(format!("/proc/{pid}/status")).unwrap(), "Threads:")
}

/// How often one of its threads has gone to sleep so far, which it does once after each time it was woken.
pub(crate) fn sleeps(pid: u32) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let status = tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")));
    status.flatten().map(|status| value(&status, "voluntary_ctxt_switches:")).sum()
}

fn value(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
