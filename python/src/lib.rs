//! fastsock for Python.
