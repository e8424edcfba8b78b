//! Addresses, as the socket module gives and takes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use fastsock::net::PeerAddress;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};

/// An address as the socket module gives it.
pub(crate) fn address<'py>(py: Python<'py>, peer: &PeerAddress) -> PyResult<Bound<'py, PyAny>> {
    match peer.ip() {
        Some(std::net::SocketAddr::V4(v4)) => {
            let tuple = (v4.ip().to_string(), v4.port()).into_pyobject(py)?;
            Ok(tuple.into_any())
        }
        Some(std::net::SocketAddr::V6(v6)) => {
            let tuple = (v6.ip().to_string(), v6.port(), v6.flowinfo(), v6.scope_id()).into_pyobject(py)?;
            Ok(tuple.into_any())
        }
        None => match peer.unix_bytes() {
            Some(name) if name.first() == Some(&0) => Ok(PyBytes::new(py, name).into_any()),
            Some(path) => {
                use std::os::unix::ffi::OsStrExt;
                let path = std::ffi::OsStr::from_bytes(path);
                Ok(path.into_pyobject(py)?.into_any())
            }
            None => Ok(PyTuple::empty(py).into_any()),
        },
    }
}

/// The IP address that a tuple names by its number, for a socket of this family; `None` for all that must be looked up or
/// is an error, which the socket module knows better.
pub(crate) fn numeric(family: i32, address: &Bound<'_, PyAny>) -> Option<PeerAddress> {
    let tuple = address.cast_exact::<PyTuple>().ok()?;
    let host = tuple.get_item(0).ok()?;
    let host = host.cast_exact::<PyString>().ok()?.to_str().ok()?;
    let port: u16 = tuple.get_item(1).ok()?.extract().ok()?;
    if family == libc::AF_INET && tuple.len() == 2 {
        let ip = host.parse::<Ipv4Addr>().ok()?;
        return Some(SocketAddr::new(IpAddr::V4(ip), port).into());
    }
    if family != libc::AF_INET6 || tuple.len() > 4 {
        return None;
    }
    let ip = host.parse::<Ipv6Addr>().ok()?;
    let rest = |at: usize| if at < tuple.len() { tuple.get_item(at).ok()?.extract::<u32>().ok() } else { Some(0) };
    let (flow, scope) = (rest(2)?, rest(3)?);
    // The kernel has 20 bits for it; beyond, the socket module says so.
    if flow > 0xf_ffff {
        return None;
    }
    Some(SocketAddr::V6(SocketAddrV6::new(ip, port, flow, scope)).into())
}
