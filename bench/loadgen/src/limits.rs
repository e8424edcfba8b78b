//! The limit on open files: every connection is one.

use crate::failure::Failure;
use std::io;

/// Files that are open besides the connections, with some to spare.
const OTHERS: u64 = 32;

/// Makes room for `conns` connections. Returns what was changed, for the person to read.
pub(crate) fn make_room(conns: usize) -> Result<Option<String>, Failure> {
    let needed = conns as u64 + OTHERS;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the call to write one rlimit to.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(failed("read"));
    }
    if limit.rlim_cur >= needed {
        return Ok(None);
    }
    if limit.rlim_max < needed {
        return Err(Failure::new(format!(
            "{conns} connections need {needed} open files, but this system allows a process {}: \
             use --conns {} or fewer, or raise the hard limit (ulimit -Hn)",
            limit.rlim_max,
            limit.rlim_max.saturating_sub(OTHERS)
        )));
    }
    let before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is initialized; the soft limit is not above the hard one.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
        return Err(failed("raise"));
    }
    Ok(Some(format!("open-file limit of this process raised from {before} to {}", limit.rlim_max)))
}

fn failed(what: &str) -> Failure {
    let error = io::Error::last_os_error();
    Failure::new(format!("could not {what} the open-file limit: {error}"))
}
