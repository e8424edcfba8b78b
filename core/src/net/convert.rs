//! What else a [`Socket`] can be.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};

use super::{Accepted, Socket};

impl From<Accepted> for Socket {
    fn from(accepted: Accepted) -> Socket {
        Socket { fd: accepted.into_fd() }
    }
}

impl From<Socket> for OwnedFd {
    fn from(socket: Socket) -> OwnedFd {
        socket.fd
    }
}

macro_rules! into_std {
    ($($name:ident),*) => {$(
        impl From<Socket> for $name {
            /// Non-blocking still. Whether the socket is of that kind is for the caller to know: nobody looks.
            fn from(socket: Socket) -> $name {
                $name::from(socket.fd)
            }
        }
    )*};
}
into_std!(TcpStream, UdpSocket, UnixStream, UnixDatagram);

macro_rules! read_and_write {
    ($($name:ty),*) => {$(
        impl Read for $name {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.recv(buffer)
            }

            fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.recv_vectored(buffers)
            }
        }

        impl Write for $name {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.send(bytes)
            }

            fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
                self.send_vectored(buffers)
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
    )*};
}
read_and_write!(Socket, &Socket);
