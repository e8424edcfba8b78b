//! How tables grow that may become large.

use crate::sys::memory;

/// The size of a huge page on x86-64, and on arm64 with pages of 4 KiB. Elsewhere only a unit of growth.
const HUGE: usize = 2 << 20;
/// What an allocator may put before and after a block: block and this fill whole huge pages.
const MARGIN: usize = 64;

/// As `Vec::push`. A table of a megabyte or more grows by whole huge pages: what a new table costs is mostly the page
/// faults, one for every 4 KiB otherwise.
#[inline]
pub(crate) fn push<T>(table: &mut Vec<T>, value: T) {
    if table.len() == table.capacity() {
        push_grown(table, value);
    } else {
        table.push(value);
    }
}

#[cold]
#[inline(never)]
fn push_grown<T>(table: &mut Vec<T>, value: T) {
    let doubled = table.capacity().saturating_mul(2).saturating_mul(size_of::<T>());
    match doubled.checked_next_multiple_of(HUGE) {
        Some(bytes) if doubled >= HUGE / 2 => {
            let capacity = (bytes - MARGIN) / size_of::<T>();
            // The kernel places a mapping of whole huge pages on their boundary, and moves it as such.
            table.reserve_exact(capacity.saturating_sub(table.len()).max(1));
            memory::prefer_huge_pages(table);
        }
        _ => table.reserve(1),
    }
    table.push(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fills a table, and looks at every size it had.
    fn fill<const WORDS: usize>() {
        let mut table = Vec::new();
        let (count, mut growths) = (3_000_000 / WORDS as u64, 0);
        for i in 0..count {
            let before = table.capacity();
            push(&mut table, [i; WORDS]);
            if table.capacity() != before {
                growths += 1;
                let free = HUGE - table.capacity() * size_of::<[u64; WORDS]>() % HUGE;
                assert!(
                    table.capacity() * size_of::<[u64; WORDS]>() < HUGE / 2
                        || (MARGIN..MARGIN + 8 * WORDS).contains(&free),
                    "{free}"
                );
            }
        }
        assert!(growths <= 24, "{growths}");
        assert!(table.into_iter().map(|value| value[WORDS - 1]).eq(0..count));
    }

    #[test]
    fn a_table_grows_by_doubling_and_keeps_what_is_in_it() {
        fill::<1>();
        fill::<4>();
        fill::<9>();
    }
}
