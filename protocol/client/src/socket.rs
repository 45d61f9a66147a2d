//! UDP sockets with room for a burst.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use rustix::net::sockopt::{set_socket_recv_buffer_size, set_socket_send_buffer_size};

/// What the kernel may hold for a socket, as far as the system allows. Its default (208 KiB) overflows when a flood meets
/// a thread that was away for two milliseconds: measured, a thousand packets lost in ten seconds at 500,000 requests a
/// second, and each loss a stall of several milliseconds.
const BUFFER_BYTES: usize = 4 << 20;

/// Binds a socket for QUIC.
pub fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address)?;
    // A system that grants less is slower at the peak, not wrong.
    let _ = set_socket_recv_buffer_size(&socket, BUFFER_BYTES);
    let _ = set_socket_send_buffer_size(&socket, BUFFER_BYTES);
    Ok(socket)
}
