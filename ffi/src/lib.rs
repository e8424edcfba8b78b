//! fastsock for C.
