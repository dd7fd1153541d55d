//! Reads what a container takes of the machine: the sums over its processes, from `/proc`.

use std::io;
use std::time::Duration;

use nix::unistd::Pid;

use super::members;
use harness_core::model::container_usage::ContainerUsage;

/// The unit of processor times in `/proc`: the kernel's `USER_HZ` is 100 on every architecture that pods run on.
const TICK: Duration = Duration::from_millis(10);

/// Returns what the container of this first process takes.
///
/// # Errors
///
/// When the first process cannot be read. Another one may have ended meanwhile, and then takes nothing.
pub(super) fn of(first: Pid) -> io::Result<ContainerUsage> {
    let mut sum = ContainerUsage {
        first_process: first.as_raw(),
        ..of_process(first)?
    };
    for process in members::of(first) {
        if process == first {
            continue;
        }
        let Ok(further) = of_process(process) else {
            continue;
        };
        sum.resident_bytes += further.resident_bytes;
        sum.descriptors += further.descriptors;
        sum.processor_time += further.processor_time;
        sum.processor_wait += further.processor_wait;
    }
    Ok(sum)
}

fn of_process(process: Pid) -> io::Result<ContainerUsage> {
    let status = fs_err::read_to_string(format!("/proc/{process}/status"))?;
    let stat = fs_err::read_to_string(format!("/proc/{process}/stat"))?;
    let descriptors = fs_err::read_dir(format!("/proc/{process}/fd"))?.count();
    let unreadable = |file: &str| io::Error::other(format!("/proc/{process}/{file} is unreadable"));
    Ok(ContainerUsage {
        first_process: process.as_raw(),
        resident_bytes: resident_bytes(&status).ok_or_else(|| unreadable("status"))?,
        descriptors: u64::try_from(descriptors).unwrap_or(u64::MAX),
        processor_time: processor_time(&stat).ok_or_else(|| unreadable("stat"))?,
        processor_wait: processor_wait(process)?,
    })
}

/// Sums over the threads: the process's own `schedstat` covers its first one alone. A thread that has ended meanwhile waits no more.
fn processor_wait(process: Pid) -> io::Result<Duration> {
    let threads = fs_err::read_dir(format!("/proc/{process}/task"))?;
    Ok(threads
        .filter_map(|thread| fs_err::read_to_string(thread.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| time_in_queue(&text))
        .sum())
}

/// Reads the second field of `schedstat`, nanoseconds in a queue for a processor (the kernel's scheduler/sched-stats).
fn time_in_queue(schedstat: &str) -> Option<Duration> {
    let nanoseconds = schedstat.split_ascii_whitespace().nth(1)?;
    nanoseconds.parse().ok().map(Duration::from_nanos)
}

/// Reads `VmRSS` (proc(5)).
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// Adds the fields 14 and 15 up, `utime` and `stime` (proc(5)). The name in field 2 may hold blanks and brackets.
fn processor_time(stat: &str) -> Option<Duration> {
    let (_, from_third) = stat.rsplit_once(')')?;
    let mut ticks = from_third.split_ascii_whitespace().skip(11);
    let user: u32 = ticks.next()?.parse().ok()?;
    let system: u32 = ticks.next()?.parse().ok()?;
    TICK.checked_mul(user)?
        .checked_add(TICK.checked_mul(system)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_in_bytes() {
        let status = "Name:\tagent\nVmPeak:\t  9000 kB\nVmRSS:\t    2048 kB\nThreads:\t3\n";
        assert_eq!(resident_bytes(status), Some(2_097_152));
        assert_eq!(resident_bytes("Name:\tzombie\n"), None);
    }

    #[test]
    fn processor_time_is_found_behind_an_odd_name() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 120 35 7 8 20 0 3 0 999 1 2";
        assert_eq!(processor_time(stat), Some(Duration::from_millis(1_550)));
        assert_eq!(processor_time("42 (agent) S 1"), None);
    }

    #[test]
    fn the_time_in_a_queue_is_the_second_of_three_figures() {
        assert_eq!(
            time_in_queue("394280 68828 1\n"),
            Some(Duration::from_nanos(68_828))
        );
        assert_eq!(time_in_queue("394280\n"), None);
    }

    #[test]
    fn a_process_looks_into_itself() {
        let own = of_process(Pid::this()).expect("it runs");
        assert!(own.resident_bytes > 0, "{own:?}");
        assert!(own.descriptors > 0, "{own:?}");
    }
}
