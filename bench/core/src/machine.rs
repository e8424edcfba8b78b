//! What it was measured on and with, as the system tells.

use std::fs;

use fastsock_bench_core::libev_version;

/// The versions that this was built with.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// Processor, kernel, versions and date, in one line.
pub(crate) fn description() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let mut line = format!("{} ({cpus} CPUs), Linux {}, {}", model(&cpuinfo), release.trim(), month());
    for name in ["mio", "polling", "calloop"] {
        if let Some(version) = locked(LOCK, name) {
            line += &format!("; {name} {version}");
        }
    }
    if let Some(version) = libev_version() {
        line += &format!("; libev {version}");
    }
    line
}

/// x86-64 names its model; other architectures may not.
fn model(cpuinfo: &str) -> &str {
    let named = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    named.and_then(|rest| rest.split_once(':')).map_or(std::env::consts::ARCH, |(_, model)| model.trim())
}

/// How busy the machine is: runnable threads, over the last minute.
pub(crate) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

fn locked<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let package = format!("name = \"{name}\"");
    let mut lines = lock.lines().skip_while(|line| *line != package);
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}

fn month() -> String {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    // SAFETY: `time` takes no place to write to here, and `gmtime_r` fills in the one it is given, all zero before.
    let now = unsafe {
        let seconds = libc::time(std::ptr::null_mut());
        let mut now = std::mem::zeroed::<libc::tm>();
        libc::gmtime_r(&seconds, &mut now);
        now
    };
    format!("{} {}", NAMES.get(now.tm_mon as usize).unwrap_or(&""), now.tm_year + 1900)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_are_those_of_the_lock_file() {
        for name in ["mio", "polling", "calloop"] {
            assert!(locked(LOCK, name).is_some_and(|version| version.split('.').count() == 3), "{name}");
        }
        assert_eq!(locked(LOCK, "no-such-crate"), None);
    }

    #[test]
    fn the_processor_is_named() {
        assert_eq!(model("processor\t: 0\nmodel name\t: Fast One\n"), "Fast One");
        assert_eq!(model("processor\t: 0\n"), std::env::consts::ARCH);
    }
}
