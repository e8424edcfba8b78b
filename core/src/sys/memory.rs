//! Advice about memory.

/// Tells the kernel that huge pages suit the memory of this vector, filled or not (madvise(2), `MADV_HUGEPAGE`). A
/// hint: where there are none, or the system forbids them, nothing happens.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn prefer_huge_pages<T>(table: &mut Vec<T>) {
    // SAFETY: asks for a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let Some(page) = usize::try_from(page).ok().filter(|page| page.is_power_of_two()) else { return };
    let address = table.as_mut_ptr() as usize;
    // Outward to whole pages, though the allocator's own words lie in the first: a mapping of which only a part has the
    // advice is two for the kernel, and mremap(2), by which an allocator grows it, takes only one.
    let start = address & !(page - 1);
    let Some(end) = (address + table.capacity() * size_of::<T>()).checked_next_multiple_of(page) else { return };
    // SAFETY: this advice changes no byte of memory and no right to it, whoever's it is; addresses that are not mapped
    // are an error, which is of no interest here.
    unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_HUGEPAGE) };
}

/// No such advice here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn prefer_huge_pages<T>(_table: &mut Vec<T>) {}
